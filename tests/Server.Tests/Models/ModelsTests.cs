using System.Net;
using System.Text.Json;
using Serving.Server.Models;
using Serving.Server.Tests.Hosting;

namespace Serving.Server.Tests.Models;

public sealed class ModelsTests(SmallServer small) : IClassFixture<SmallServer>
{
    [Fact]
    public async Task List_DescribesEveryModel()
    {
        using JsonDocument list = JsonDocument.Parse(await small.Server.Client.GetStringAsync("/v1/models"));
        Assert.Equal("list", list.RootElement.GetProperty("object").GetString());
        JsonElement[] models = [.. list.RootElement.GetProperty("data").EnumerateArray()];
        Assert.Contains("plain", models.Select(model => model.GetProperty("id").GetString()));
        Assert.All(models, model =>
        {
            Assert.Equal("model", model.GetProperty("object").GetString());
            Assert.Equal("model", model.GetProperty("kind").GetString());
            Assert.Equal("ready", model.GetProperty("state").GetString());
            Assert.Equal(48, model.GetProperty("max_model_len").GetInt32());
            Assert.Equal(256, model.GetProperty("vocab_size").GetInt32());
            Assert.True(model.GetProperty("created").GetInt64() > 1_500_000_000);
            Assert.True(model.GetProperty("parameters").GetInt64() > 0);
            Assert.True(model.GetProperty("bytes").GetInt64() >= model.GetProperty("shared_bytes").GetInt64());
            Assert.StartsWith("sha256:", model.GetProperty("tokenizer_fingerprint").GetString(), StringComparison.Ordinal);
        });
    }

    [Fact]
    public async Task Get_OneModel_IsItsEntryOfTheList()
    {
        using JsonDocument list = JsonDocument.Parse(await small.Server.Client.GetStringAsync("/v1/models"));
        JsonElement entry = list.RootElement.GetProperty("data").EnumerateArray().Single(model => model.GetProperty("id").GetString() == "bf16");
        Assert.Equal(entry.GetRawText(), await small.Server.Client.GetStringAsync("/v1/models/bf16"));
        Assert.Equal("bfloat16", entry.GetProperty("dtype").GetString());
    }

    [Fact]
    public async Task Model_WhileLoading_Answers503UntilReady()
    {
        using var gate = new ManualResetEventSlim();
        await using RunningServer server = await RunningServer.StartUnreadyAsync((root, folder, options) =>
        {
            gate.Wait();
            return ServedModel.Load(root, folder, options);
        });
        using HttpResponseMessage early = await server.CompleteAsync("""{"model":"plain","prompt":"x"}""");
        using HttpResponseMessage unready = await server.Client.GetAsync("/health/ready");
        using HttpResponseMessage unstarted = await server.Client.GetAsync("/health/startup");
        using HttpResponseMessage live = await server.Client.GetAsync("/health/live");
        string listed = await server.Client.GetStringAsync("/v1/models/plain");
        gate.Set();
        await RunningServer.UntilAsync(async () => (await server.Client.GetAsync("/health/ready")).IsSuccessStatusCode);
        using HttpResponseMessage late = await server.CompleteAsync("""{"model":"plain","prompt":"x"}""");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, early.StatusCode);
        Assert.Equal("1", early.Headers.GetValues("Retry-After").Single());
        Assert.Contains("\"code\":\"model_loading\"", await early.Content.ReadAsStringAsync());
        Assert.Equal(HttpStatusCode.ServiceUnavailable, unready.StatusCode);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, unstarted.StatusCode);
        Assert.Equal(HttpStatusCode.OK, live.StatusCode);
        Assert.Contains("\"state\":\"loading\"", listed);
        Assert.Equal(HttpStatusCode.OK, late.StatusCode);
    }
}
