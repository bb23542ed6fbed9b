using System.Net;
using System.Net.Http.Json;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Serving.Server.Tests.Hosting;
using Serving.Testing;

namespace Serving.Server.Tests.Embeddings;

public sealed class EmbeddingTests(SmallServer small) : IClassFixture<SmallServer>
{
    private const double Tolerance = 1e-4;

    [Theory]
    [InlineData("plain", "last")]
    [InlineData("plain", "input")]
    [InlineData("nofinal", "last")]
    [InlineData("narrow", "input")]
    public async Task Embed_Ids_AreWhatPyTorchComputes(string model, string layer)
    {
        using JsonDocument golden = JsonDocument.Parse(await File.ReadAllBytesAsync(TestData.Path("hidden", model + ".json")));
        JsonElement[] cases = [.. golden.RootElement.GetProperty("cases").EnumerateArray()];
        JsonElement answer = await EmbedAsync(new { model, layer, input = cases.Select(sample => sample.GetProperty("ids")) });
        JsonElement[] data = [.. answer.GetProperty("data").EnumerateArray()];
        Assert.Equal(Enumerable.Range(0, cases.Length), data.Select(entry => entry.GetProperty("index").GetInt32()));
        foreach ((JsonElement sample, JsonElement entry) in cases.Zip(data))
        {
            double[] expected = sample.GetProperty(layer).Deserialize<double[]>()!;
            double[] actual = entry.GetProperty("embedding").Deserialize<double[]>()!;
            Assert.Equal(expected.Length, actual.Length);
            Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, Tolerance));
        }
        Assert.Equal(cases.Sum(sample => sample.GetProperty("ids").GetArrayLength()),
            answer.GetProperty("usage").GetProperty("prompt_tokens").GetInt32());
    }

    [Theory]
    [InlineData("last")]
    [InlineData("input")]
    public async Task Embed_Base64_IsTheSameFloats(string layer)
    {
        JsonElement numbers = (await EmbedAsync(new { model = "plain", input = "Hi", layer, encoding_format = "float" })).GetProperty("data");
        JsonElement coded = (await EmbedAsync(new { model = "plain", input = "Hi", layer, encoding_format = "base64" })).GetProperty("data");
        Assert.Equal(numbers[0].GetProperty("embedding").Deserialize<float[]>(),
            MemoryMarshal.Cast<byte, float>(coded[0].GetProperty("embedding").GetBytesFromBase64()).ToArray());
    }

    [Fact]
    public async Task Embed_TextAndItsIds_AreTheSame()
    {
        JsonElement text = await EmbedAsync(new { model = "plain", input = "Hi" });
        JsonElement ids = await EmbedAsync(new { model = "plain", input = (int[])[44, 77] });
        Assert.Equal(text.GetProperty("data").GetRawText(), ids.GetProperty("data").GetRawText());
        Assert.Equal(("list", "embedding"), (text.GetProperty("object").GetString(), text.GetProperty("data")[0].GetProperty("object").GetString()));
    }

    // More inputs than the engine's queue holds, beside each other and after each other: the same bits as alone.
    [Fact]
    public async Task Embed_ManyInputs_AreEachWhatTheyAreAlone()
    {
        string[] input = [.. Enumerable.Range(0, 400).Select(i => $"text {i % 7}")];
        JsonElement all = (await EmbedAsync(new { model = "plain", input })).GetProperty("data");
        for (int i = 0; i < 7; i++)
        {
            JsonElement alone = (await EmbedAsync(new { model = "plain", input = input[i] })).GetProperty("data")[0];
            for (int same = i; same < input.Length; same += 7)
                Assert.Equal(alone.GetProperty("embedding").GetRawText(), all[same].GetProperty("embedding").GetRawText());
        }
    }

    [Fact]
    public async Task Embed_Ensemble_HasInputVectorsOnly()
    {
        JsonElement sum = await EmbedAsync(new { model = "bf16+bf16", input = "Hi", layer = "input" });
        JsonElement one = await EmbedAsync(new { model = "bf16", input = "Hi", layer = "input" });
        Assert.Equal(one.GetProperty("data").GetRawText(), sum.GetProperty("data").GetRawText());
        using HttpResponseMessage refused = await PostAsync("""{"model":"bf16+bf16","input":"Hi"}""");
        Assert.Contains("\"param\":\"layer\",\"code\":\"unsupported_parameter\"", await refused.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData("{\"model\":\"plain\"}", "input")]
    [InlineData("{\"model\":\"plain\",\"input\":[]}", "input")]
    [InlineData("{\"model\":\"plain\",\"input\":\"\"}", "input")]
    [InlineData("{\"model\":\"plain\",\"input\":[\"a\",\"\"]}", "input[1]")]
    [InlineData("{\"model\":\"plain\",\"input\":[[1],[300]]}", "input[1][0]")]
    [InlineData("{\"model\":\"plain\",\"input\":{}}", "input")]
    [InlineData("{\"model\":\"plain\",\"input\":\"a\",\"encoding_format\":\"hex\"}", "encoding_format")]
    [InlineData("{\"model\":\"plain\",\"input\":\"a\",\"layer\":\"middle\"}", "layer")]
    [InlineData("{\"model\":\"plain\",\"input\":\"a\",\"dimensions\":5}", "dimensions")]
    [InlineData("{\"model\":\"plain\",\"input\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}", "input")]
    public async Task Embed_BadBody_NamesTheField(string body, string param)
    {
        using HttpResponseMessage response = await PostAsync(body);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal(param, (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("error").GetProperty("param").GetString());
    }

    private Task<HttpResponseMessage> PostAsync(string body) =>
        small.Server.Client.PostAsync("/v1/embeddings", new StringContent(body, Encoding.UTF8, "application/json"));

    private async Task<JsonElement> EmbedAsync(object body)
    {
        using HttpResponseMessage response = await PostAsync(JsonSerializer.Serialize(body));
        string text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, text);
        return JsonDocument.Parse(text).RootElement;
    }
}
