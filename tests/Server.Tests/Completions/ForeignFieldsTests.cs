using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Serving.Server.Tests.Access;
using Serving.Server.Tests.Hosting;

namespace Serving.Server.Tests.Completions;

/// <summary>A field that is known works or is refused; one that is not known is ignored.</summary>
public sealed class ForeignFieldsTests(SmallServer small) : IClassFixture<SmallServer>
{
    private static readonly Dictionary<string, string> Valid = new()
    {
        ["/v1/completions"] = "\"model\":\"plain\",\"prompt\":\"Hi\",\"max_tokens\":1",
        ["/v1/chat/completions"] = "\"model\":\"plain\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"max_tokens\":1",
        ["/v1/embeddings"] = "\"model\":\"plain\",\"input\":\"Hi\"",
        ["/v1/compare"] = "\"models\":[\"plain\",\"bf16\"],\"prompt\":\"Hi\",\"max_tokens\":1",
    };

    [Theory]
    [InlineData("/v1/completions", "messages", "[{\"role\":\"user\",\"content\":\"Hi\"}]")]
    [InlineData("/v1/completions", "max_completion_tokens", "5")]
    [InlineData("/v1/completions", "top_logprobs", "2")]
    [InlineData("/v1/completions", "response_format", "{\"type\":\"json_object\"}")]
    [InlineData("/v1/completions", "prompt_logprobs", "1")]
    [InlineData("/v1/completions", "use_beam_search", "true")]
    [InlineData("/v1/completions", "length_penalty", "1.5")]
    [InlineData("/v1/completions", "skip_special_tokens", "false")]
    [InlineData("/v1/completions", "guided_regex", "\"a*\"")]
    [InlineData("/v1/chat/completions", "tools", "[{\"type\":\"function\"}]")]
    [InlineData("/v1/chat/completions", "chat_template", "\"{{ messages }}\"")]
    [InlineData("/v1/chat/completions", "echo", "true")]
    [InlineData("/v1/embeddings", "ensemble", "{\"experts\":[{\"model\":\"plain\"}]}")]
    [InlineData("/v1/embeddings", "normalize", "true")]
    [InlineData("/v1/compare", "n", "2")]
    [InlineData("/v1/compare", "stream", "true")]
    [InlineData("/v1/compare", "logprobs", "3")]
    [InlineData("/v1/compare", "ensemble", "{\"experts\":[{\"model\":\"plain\"}]}")]
    [InlineData("/v1/compare", "model", "\"plain\"")]
    [InlineData("/v1/compare", "expert_logprobs", "true")]
    public async Task Field_KnownAndNotHonoured_IsRefusedByItsName(string path, string field, string value)
    {
        (HttpStatusCode status, JsonElement answer) = await PostAsync(path, field, value);
        Assert.Equal(HttpStatusCode.BadRequest, status);
        JsonElement error = answer.GetProperty("error");
        Assert.Equal(("unsupported_parameter", field), (error.GetProperty("code").GetString(), error.GetProperty("param").GetString()));
    }

    [Theory]
    [InlineData("/v1/completions", "messages", "null")]
    [InlineData("/v1/completions", "tools", "[]")]
    [InlineData("/v1/completions", "length_penalty", "1.0")]
    [InlineData("/v1/completions", "skip_special_tokens", "true")]
    [InlineData("/v1/completions", "suffix", "\"\"")]
    [InlineData("/v1/completions", "do_sample", "false")]
    [InlineData("/v1/completions", "service_tier", "\"auto\"")]
    [InlineData("/v1/chat/completions", "response_format", "{\"type\":\"text\"}")]
    [InlineData("/v1/chat/completions", "tool_choice", "\"none\"")]
    [InlineData("/v1/chat/completions", "modalities", "[\"text\"]")]
    [InlineData("/v1/chat/completions", "best_of", "1")]
    [InlineData("/v1/embeddings", "normalize", "false")]
    [InlineData("/v1/compare", "n", "1")]
    [InlineData("/v1/compare", "stream", "false")]
    [InlineData("/v1/compare", "logprobs", "0")]
    [InlineData("/v1/compare", "anything", "{\"at\":\"all\"}")]
    public async Task Field_ThatAsksForNothingOrIsUnknown_IsTaken(string path, string field, string value) =>
        Assert.Equal(HttpStatusCode.OK, (await PostAsync(path, field, value)).Status);

    [Theory]
    [InlineData("/v1/compare", "{\"models\":[\"plain\",\"bf16\"],\"prompt\":\"Hi\",\"max_tokens\":2,\"ignore_eos\":true}")]
    [InlineData("/v1/compare", "{\"models\":[\"plain\"],\"text\":\"Hello\"}")]
    [InlineData("/v1/models/plain/logits", "{\"tokens\":[40,41,42,43,44]}")]
    public async Task Tokens_OfEveryRouteThatComputes_CountAgainstTheKey(string path, string body)
    {
        await using RunningServer server = await RunningServer.StartAsync(null, AccessTests.Key(0, "alice", "a"), "Keys:0:TokensPerMinute=9");
        Assert.Equal(HttpStatusCode.OK, await AskAsync(server, path, body));
        Assert.Equal(HttpStatusCode.TooManyRequests, await AskAsync(server, path, body));
    }

    private static async Task<HttpStatusCode> AskAsync(RunningServer server, string path, string body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", "a");
        using HttpResponseMessage response = await server.Client.SendAsync(request);
        return response.StatusCode;
    }

    private async Task<(HttpStatusCode Status, JsonElement Answer)> PostAsync(string path, string field, string value)
    {
        using var body = new StringContent($"{{{Valid[path]},\"{field}\":{value}}}", Encoding.UTF8, "application/json");
        using HttpResponseMessage response = await small.Server.Client.PostAsync(path, body);
        return (response.StatusCode, JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement);
    }
}
