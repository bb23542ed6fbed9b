using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Serving.Glyphs.Tokens;
using Serving.Server.Chat;
using Serving.Server.Models;
using Serving.Server.Tests.Hosting;
using Serving.Testing;

namespace Serving.Server.Tests.Chat;

public sealed class ChatTests(SmallServer small) : IClassFixture<SmallServer>
{
    private const string Talk = "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]";
    private const string Greedy = "{\"model\":\"plain\"," + Talk + ",\"max_tokens\":12,\"temperature\":0,\"ignore_eos\":true";

    [Fact]
    public async Task Chat_Whole_IsTheCompletionOfThePlainTemplate()
    {
        JsonElement chat = await ChatAsync(Greedy + ",\"logprobs\":true,\"top_logprobs\":2}");
        JsonElement plain = await small.Server.CompleteJsonAsync(
            """{"model":"plain","prompt":"User: Hi\nAssistant:","max_tokens":12,"temperature":0,"ignore_eos":true,"logprobs":2,"stop":"\nUser:"}""");
        JsonElement choice = chat.GetProperty("choices")[0], expected = plain.GetProperty("choices")[0];
        Assert.Equal("chat.completion", chat.GetProperty("object").GetString());
        Assert.Equal("assistant", choice.GetProperty("message").GetProperty("role").GetString());
        Assert.Equal(expected.GetProperty("text").GetRawText(), choice.GetProperty("message").GetProperty("content").GetRawText());
        Assert.Equal(expected.GetProperty("finish_reason").GetString(), choice.GetProperty("finish_reason").GetString());
        Assert.Equal(plain.GetProperty("usage").GetProperty("prompt_tokens").GetInt32(), chat.GetProperty("usage").GetProperty("prompt_tokens").GetInt32());
        JsonElement[] entries = [.. choice.GetProperty("logprobs").GetProperty("content").EnumerateArray()];
        JsonElement logprobs = expected.GetProperty("logprobs");
        Assert.Equal(logprobs.GetProperty("token_logprobs").EnumerateArray().Select(value => value.GetRawText()),
            entries.Select(entry => entry.GetProperty("logprob").GetRawText()));
        Assert.Equal(logprobs.GetProperty("tokens").EnumerateArray().Select(value => value.GetString()),
            entries.Select(entry => entry.GetProperty("token").GetString()));
        Assert.All(entries, entry =>
        {
            Assert.Equal(2, entry.GetProperty("top_logprobs").GetArrayLength());
            Assert.Equal(Encoding.UTF8.GetBytes(entry.GetProperty("token").GetString()!).Select(value => (int)value),
                entry.GetProperty("bytes").EnumerateArray().Select(value => value.GetInt32()));
        });
    }

    [Theory]
    [InlineData("\"temperature\":0")]
    [InlineData("\"temperature\":0,\"logprobs\":true,\"top_logprobs\":3")]
    [InlineData("\"n\":3,\"seed\":4,\"logprobs\":true")]
    public async Task Chat_Streamed_EqualsTheWhole(string options)
    {
        string body = "{\"model\":\"plain\"," + Talk + ",\"max_tokens\":12," + options;
        JsonElement whole = await ChatAsync(body + "}");
        using HttpResponseMessage response = await PostAsync(body + ",\"stream\":true,\"stream_options\":{\"include_usage\":true}}");
        string[] events = [.. (await response.Content.ReadAsStringAsync()).Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Select(line => line["data: ".Length..])];
        Assert.Equal("[DONE]", events[^1]);
        JsonElement[] chunks = [.. events.SkipLast(1).Select(data => JsonDocument.Parse(data).RootElement)];
        Assert.All(chunks, chunk => Assert.Equal("chat.completion.chunk", chunk.GetProperty("object").GetString()));
        Assert.Empty(chunks[^1].GetProperty("choices").EnumerateArray());
        Assert.Equal(whole.GetProperty("usage").GetProperty("completion_tokens").GetRawText(),
            chunks[^1].GetProperty("usage").GetProperty("completion_tokens").GetRawText());
        foreach (JsonElement choice in whole.GetProperty("choices").EnumerateArray())
        {
            JsonElement[] pieces = [.. chunks.SelectMany(chunk => chunk.GetProperty("choices").EnumerateArray())
                .Where(piece => piece.GetProperty("index").GetInt32() == choice.GetProperty("index").GetInt32())];
            Assert.Equal("assistant", pieces[0].GetProperty("delta").GetProperty("role").GetString());
            Assert.All(pieces.Skip(1), piece => Assert.False(piece.GetProperty("delta").TryGetProperty("role", out _)));
            Assert.Equal(choice.GetProperty("message").GetProperty("content").GetString(),
                string.Concat(pieces.Select(piece => piece.GetProperty("delta").GetProperty("content").GetString())));
            JsonElement last = Assert.Single(pieces, piece => piece.GetProperty("finish_reason").ValueKind == JsonValueKind.String);
            Assert.Equal(choice.GetProperty("finish_reason").GetString(), last.GetProperty("finish_reason").GetString());
            Assert.Equal(Entries([choice]), Entries(pieces));
        }
    }

    [Fact]
    public async Task Chat_Roles_AreLinesOfThePlainTemplate()
    {
        JsonElement answer = await ChatAsync("""
            {"model":"bf16","messages":[{"role":"developer","content":"S"},{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},
             {"role":"assistant","content":"c"}],"max_completion_tokens":1}
            """);
        Assert.Equal("S\n\nUser: ab\nAssistant: c\nAssistant:".Length, answer.GetProperty("usage").GetProperty("prompt_tokens").GetInt32());
    }

    [Theory]
    [InlineData("\"messages\":null", "messages", "invalid_value")]
    [InlineData("\"messages\":[]", "messages", "invalid_value")]
    [InlineData("\"messages\":[null]", "messages[0].role", "invalid_value")]
    [InlineData("\"messages\":[{\"role\":\"boss\",\"content\":\"x\"}]", "messages[0].role", "invalid_value")]
    [InlineData("\"messages\":[{\"role\":\"tool\",\"content\":\"x\"}]", "messages[0].role", "unsupported_parameter")]
    [InlineData("\"messages\":[{\"role\":\"user\"}]", "messages[0].content", "invalid_value")]
    [InlineData("\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{}}]}]", "messages[0].content", "unsupported_parameter")]
    [InlineData("\"messages\":[{\"role\":\"user\",\"content\":5}]", "messages[0].content", "invalid_value")]
    [InlineData("\"messages\":[{\"role\":\"user\",\"content\":\"x\",\"name\":\"bob\"}]", "messages[0].name", "unsupported_parameter")]
    [InlineData("\"messages\":[{\"role\":\"user\",\"content\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}]", "messages", "context_length_exceeded")]
    [InlineData(Talk + ",\"tools\":[{}]", "tools", "unsupported_parameter")]
    [InlineData(Talk + ",\"response_format\":{\"type\":\"json_object\"}", "response_format", "unsupported_parameter")]
    [InlineData(Talk + ",\"expert_logprobs\":true", "expert_logprobs", "unsupported_parameter")]
    [InlineData(Talk + ",\"top_logprobs\":2", "top_logprobs", "invalid_value")]
    [InlineData(Talk + ",\"logprobs\":true,\"top_logprobs\":21", "top_logprobs", "invalid_value")]
    [InlineData(Talk + ",\"logprobs\":5", "logprobs", "invalid_value")]
    [InlineData(Talk + ",\"max_tokens\":0", "max_tokens", "invalid_value")]
    [InlineData(Talk + ",\"max_tokens\":1,\"max_completion_tokens\":2", "max_tokens", "invalid_value")]
    [InlineData(Talk + ",\"n\":129", "n", "invalid_value")]
    [InlineData(Talk + ",\"temperature\":3", "temperature", "invalid_value")]
    [InlineData(Talk + ",\"stop\":[\"\"]", "stop[0]", "invalid_value")]
    public async Task Chat_BadBody_NamesTheFieldAndTheCode(string fields, string param, string code)
    {
        using HttpResponseMessage response = await PostAsync("{\"model\":\"plain\"," + fields + "}");
        JsonElement error = (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("error");
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal((param, code), (error.GetProperty("param").GetString(), error.GetProperty("code").GetString()));
    }

    [Fact]
    public async Task Chat_FieldsThatAskForNothing_AreAccepted() => await ChatAsync("""
        {"model":"plain","messages":[{"role":"user","content":"x","name":null}],"tools":[],"tool_choice":"none","response_format":{"type":"text"},
         "modalities":["text"],"audio":null,"store":false,"metadata":{"a":"b"},"user":"u","max_tokens":1}
        """);

    // The template's control tokens are control tokens; those that a user writes are text.
    [Fact]
    public void Encode_OwnTemplate_DoesNotLetUsersWriteControlTokens()
    {
        Tokenizer tokenizer = Tokenizer.Load(TestData.Path("checkpoints", "plain", "tokenizer.json"));
        ChatTemplate template = ChatTemplate.Parse("{{ bos_token }}{% for m in messages %}{{ m.content | trim }}{{ eos_token }}{% endfor %}");
        var marks = new TextMarks("<s>", "</s>", "<pad>", 1);
        int[] ids = template.Encode([("user", " a</s>b<s> "), ("user", "<<s>s>")], SpecialTokens.Text, tokenizer, marks);
        Assert.Equal(
            [1, .. tokenizer.Encode("a</s>b<s>", SpecialTokens.Text), 2, .. tokenizer.Encode("<<s>s>", SpecialTokens.Text), 2], ids);
        Assert.Equal([1, 69, 2, 70, 1, 2], template.Encode([("user", "a</s>b<s>")], SpecialTokens.Parse, tokenizer, marks));
    }

    [Fact]
    public async Task Chat_ModelWithATemplate_UsesItAndShowsIt()
    {
        using var models = new CheckpointCopies();
        File.WriteAllText(Path.Combine(models.Add("plain", "own"), "tokenizer_config.json"),
            """{"chat_template": "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}{{ m.content }}{% endfor %}"}""");
        File.WriteAllText(Path.Combine(models.Add("plain", "broken"), "chat_template.jinja"), "{% macro x() %}{% endmacro %}");
        await using RunningServer server = await RunningServer.StartAsync(null, $"Models={models.Path}");
        JsonElement chat = await ChatAsync(server, Greedy.Replace("plain", "own", StringComparison.Ordinal) + "}");
        JsonElement plain = await server.CompleteJsonAsync("""{"model":"own","prompt":[1,44,77],"max_tokens":12,"temperature":0,"ignore_eos":true}""");
        Assert.Equal(plain.GetProperty("choices")[0].GetProperty("text").GetString(),
            chat.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString());
        JsonElement info = await server.Client.GetFromJsonAsync<JsonElement>("/tokenizer_info?model=own");
        Assert.Contains("raise_exception", info.GetProperty("chat_template").GetString());

        using HttpResponseMessage refused = await PostAsync(server, """{"model":"own","messages":[{"role":"system","content":"x"}]}""");
        Assert.Contains("no system", await refused.Content.ReadAsStringAsync());
        JsonElement broken = await server.Client.GetFromJsonAsync<JsonElement>("/tokenizer_info?model=broken");
        Assert.Equal(JsonValueKind.Null, broken.GetProperty("chat_template").ValueKind);
        Assert.Contains("macro", broken.GetProperty("chat_template_fault").GetString());
        await ChatAsync(server, Greedy.Replace("plain", "broken", StringComparison.Ordinal) + "}");
    }

    private static List<string> Entries(IEnumerable<JsonElement> choices) =>
        [.. choices.Select(choice => choice.GetProperty("logprobs")).Where(logprobs => logprobs.ValueKind == JsonValueKind.Object)
            .SelectMany(logprobs => logprobs.GetProperty("content").EnumerateArray()).Select(entry => entry.GetRawText())];

    private Task<HttpResponseMessage> PostAsync(string body) => PostAsync(small.Server, body);

    private Task<JsonElement> ChatAsync(string body) => ChatAsync(small.Server, body);

    private static Task<HttpResponseMessage> PostAsync(RunningServer server, string body) =>
        server.Client.PostAsync("/v1/chat/completions", new StringContent(body, Encoding.UTF8, "application/json"));

    private static async Task<JsonElement> ChatAsync(RunningServer server, string body)
    {
        using HttpResponseMessage response = await PostAsync(server, body);
        string text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, text);
        return JsonDocument.Parse(text).RootElement;
    }
}
