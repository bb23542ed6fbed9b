using System.Net;
using System.Text;
using System.Text.Json;
using Serving.Server.Tests.Hosting;

namespace Serving.Server.Tests.Errors;

public sealed class ErrorContractTests(SmallServer small) : IClassFixture<SmallServer>
{
    [Theory]
    [InlineData("", 400, "invalid_json", null)]
    [InlineData("null", 400, "invalid_json", null)]
    [InlineData("[]", 400, "invalid_json", null)]
    [InlineData("{\"model\":\"plain\"", 400, "invalid_json", null)]
    [InlineData("{\"model\":\"plain\",\"prompt\":\"x\",}", 400, "invalid_json", null)]
    [InlineData("{\"model\":\"plain\",\"prompt\":\"x\"} {}", 400, "invalid_json", null)]
    [InlineData("{\"model\":\"plain\",\"model\":\"plain\",\"prompt\":\"x\"}", 400, "invalid_json", "model")]
    [InlineData("{\"model\":\"plain\",\"prompt\":\"x\",\"other\":1,\"other\":2}", 400, "invalid_json", "other")]
    [InlineData("{\"prompt\":\"x\"}", 400, "invalid_value", "model")]
    [InlineData("{\"model\":\"plain\",\"prompt\":\"\"}", 400, "invalid_value", "prompt")]
    [InlineData("{\"model\":\"plain\",\"prompt\":[]}", 400, "invalid_value", "prompt")]
    [InlineData("{\"model\":\"plain\",\"prompt\":7}", 400, "invalid_value", "prompt")]
    [InlineData("{\"model\":\"plain\",\"prompt\":[1,\"a\"]}", 400, "invalid_value", "prompt")]
    [InlineData("{\"model\":\"plain\",\"prompt\":[[1],2]}", 400, "invalid_value", "prompt")]
    [InlineData("{\"model\":\"plain\",\"prompt\":[1.5]}", 400, "invalid_value", "prompt")]
    [InlineData("{\"model\":\"plain\",\"prompt\":[[1],[1,256]]}", 400, "invalid_value", "prompt[1][1]")]
    [InlineData("{\"model\":\"plain\",\"prompt\":[-1]}", 400, "invalid_value", "prompt[0]")]
    [InlineData("{\"model\":\"plain\",\"prompt\":[\"a\",\"\"]}", 400, "invalid_value", "prompt[1]")]
    [InlineData("{\"model\":\"plain\",\"prompt\":\"\\ud800\"}", 400, "invalid_value", "prompt")]
    [InlineData("{\"model\":\"plain\",\"prompt\":\"x\",\"max_tokens\":\"5\"}", 400, "invalid_value", "max_tokens")]
    [InlineData("{\"model\":\"plain\",\"prompt\":\"x\",\"max_tokens\":-1}", 400, "invalid_value", "max_tokens")]
    [InlineData("{\"model\":\"plain\",\"prompt\":\"x\",\"max_tokens\":99999999999}", 400, "invalid_value", "max_tokens")]
    [InlineData("{\"model\":\"plain\",\"prompt\":\"x\",\"min_tokens\":17}", 400, "invalid_value", "min_tokens")]
    [InlineData("{\"model\":\"plain\",\"prompt\":\"x\",\"temperature\":1e999}", 400, "invalid_value", "temperature")]
    [InlineData("{\"model\":\"plain\",\"prompt\":\"x\",\"temperature\":2.1}", 400, "invalid_value", "temperature")]
    [InlineData("{\"model\":\"plain\",\"prompt\":\"x\",\"top_p\":0}", 400, "invalid_value", "top_p")]
    [InlineData("{\"model\":\"plain\",\"prompt\":\"x\",\"top_p\":1e-60}", 400, "invalid_value", "top_p")]
    [InlineData("{\"model\":\"plain\",\"prompt\":\"x\",\"top_k\":-2}", 400, "invalid_value", "top_k")]
    [InlineData("{\"model\":\"plain\",\"prompt\":\"x\",\"min_p\":-0.1}", 400, "invalid_value", "min_p")]
    [InlineData("{\"model\":\"plain\",\"prompt\":\"x\",\"n\":0}", 400, "invalid_value", "n")]
    [InlineData("{\"model\":\"plain\",\"prompt\":\"x\",\"n\":129}", 400, "invalid_value", "n")]
    [InlineData("{\"model\":\"plain\",\"prompt\":[\"x\",\"y\"],\"n\":65}", 400, "invalid_value", "prompt")]
    [InlineData("{\"model\":\"plain\",\"prompt\":\"x\",\"logprobs\":21}", 400, "invalid_value", "logprobs")]
    [InlineData("{\"model\":\"plain\",\"prompt\":\"x\",\"logprobs\":true}", 400, "invalid_value", "logprobs")]
    [InlineData("{\"model\":\"plain\",\"prompt\":\"x\",\"stop\":[\"a\",\"\"]}", 400, "invalid_value", "stop[1]")]
    [InlineData("{\"model\":\"plain\",\"prompt\":\"x\",\"stop\":5}", 400, "invalid_value", "stop")]
    [InlineData("{\"model\":\"plain\",\"prompt\":\"x\",\"stop_token_ids\":[0,256]}", 400, "invalid_value", "stop_token_ids[1]")]
    [InlineData("{\"model\":\"plain\",\"prompt\":\"x\",\"logit_bias\":{\"a\":1}}", 400, "invalid_value", "logit_bias")]
    [InlineData("{\"model\":\"plain\",\"prompt\":\"x\",\"logit_bias\":{\"5\":1e999}}", 400, "invalid_value", "logit_bias.5")]
    [InlineData("{\"model\":\"plain\",\"prompt\":\"x\",\"presence_penalty\":3}", 400, "invalid_value", "presence_penalty")]
    [InlineData("{\"model\":\"plain\",\"prompt\":\"x\",\"repetition_penalty\":0}", 400, "invalid_value", "repetition_penalty")]
    [InlineData("{\"model\":\"plain\",\"prompt\":\"x\",\"special_tokens\":\"maybe\"}", 400, "invalid_value", "special_tokens")]
    [InlineData("{\"model\":\"plain\",\"prompt\":\"x\",\"stream_options\":{}}", 400, "invalid_value", "stream_options")]
    [InlineData("{\"model\":\"plain\",\"prompt\":\"x\",\"stream\":true,\"stream_options\":{\"include_usage\":1}}", 400, "invalid_value", "stream_options.include_usage")]
    [InlineData("{\"model\":\"plain\",\"prompt\":\"x\",\"suffix\":\"y\"}", 400, "unsupported_parameter", "suffix")]
    [InlineData("{\"model\":\"plain\",\"prompt\":\"x\",\"best_of\":0}", 400, "invalid_value", "best_of")]
    [InlineData("{\"model\":\"plain\",\"prompt\":\"x\",\"best_of\":1,\"n\":2}", 400, "invalid_value", "best_of")]
    [InlineData("{\"model\":\"plain\",\"prompt\":\"x\",\"best_of\":129}", 400, "invalid_value", "best_of")]
    [InlineData("{\"model\":\"plain\",\"prompt\":\"x\",\"best_of\":2,\"stream\":true}", 400, "invalid_value", "best_of")]
    [InlineData("{\"model\":\"plain\",\"prompt\":[\"x\",\"y\"],\"best_of\":65}", 400, "invalid_value", "prompt")]
    [InlineData("{\"model\":\"plain\",\"prompt\":\"x\",\"ensemble\":{}}", 400, "invalid_value", "ensemble")]
    [InlineData("{\"model\":\"plain\",\"prompt\":\"x\",\"expert_logprobs\":true}", 400, "unsupported_parameter", "expert_logprobs")]
    [InlineData("{\"model\":\"nope\",\"prompt\":\"x\"}", 404, "model_not_found", "model")]
    [InlineData("{\"model\":\"../plain\",\"prompt\":\"x\"}", 404, "model_not_found", "model")]
    public async Task Completion_BadBody_NamesTheFieldAndTheCode(string body, int status, string code, string? param)
    {
        using HttpResponseMessage response = await small.Server.CompleteAsync(body);
        JsonElement error = await ErrorOfAsync(response);
        Assert.Equal(status, (int)response.StatusCode);
        Assert.Equal(code, error.GetProperty("code").GetString());
        Assert.Equal(param, error.GetProperty("param").GetString());
        Assert.Equal("invalid_request_error", error.GetProperty("type").GetString());
        Assert.DoesNotContain("Serving.", error.GetProperty("message").GetString());
        Assert.DoesNotContain("System.", error.GetProperty("message").GetString());
        Assert.Equal("false", response.Headers.GetValues("x-should-retry").Single());
        Assert.NotEmpty(response.Headers.GetValues("x-request-id").Single());
    }

    [Fact]
    public async Task Completion_SeveralProblems_TellsAll()
    {
        using HttpResponseMessage response = await small.Server.CompleteAsync(
            """{"model":"plain","prompt":"x","temperature":9,"top_p":7,"suffix":"y"}""");
        string message = (await ErrorOfAsync(response)).GetProperty("message").GetString()!;
        Assert.Contains("'temperature' must be a number from 0 to 2; 9 was given.", message);
        Assert.Contains("'top_p'", message);
        Assert.Contains("'suffix'", message);
    }

    [Fact]
    public async Task Completion_NeutralValuesOfEverything_IsAccepted()
    {
        using HttpResponseMessage response = await small.Server.CompleteAsync("""
            {"model":"plain","prompt":"x","max_tokens":1,"suffix":null,"best_of":1,"presence_penalty":0,"frequency_penalty":0,
             "repetition_penalty":1,"logit_bias":{},"ensemble":null,"expert_logprobs":false,"user":"u","top_k":-1,"min_p":0,"stop":null,
             "stop_token_ids":[],"stream_options":null,"logprobs":null,"echo":false,"seed":-5,"some_new_field":{"a":[1]}}
            """);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Theory]
    [InlineData("{\"model\":\"plain\",\"prompt\":\"x\",\"foo\":1}", "foo")]
    [InlineData("{\"model\":\"plain\",\"prompt\":\"x\",\"stream\":true,\"stream_options\":{\"bar\":1}}", "stream_options.bar")]
    public async Task Completion_UnknownFieldAndStrict_Is400(string body, string param)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/completions") { Content = Json(body) };
        request.Headers.Add("X-Strict", "1");
        using HttpResponseMessage response = await small.Server.Client.SendAsync(request);
        JsonElement error = await ErrorOfAsync(response);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal(param, error.GetProperty("param").GetString());
        Assert.Equal("unsupported_parameter", error.GetProperty("code").GetString());
    }

    [Fact]
    public async Task Completion_TooLong_GivesLimitPromptAndMaxTokens()
    {
        string body = $$"""{"model":"plain","prompt":"{{new string('a', 45)}}","max_tokens":4}""";
        using HttpResponseMessage response = await small.Server.CompleteAsync(body);
        JsonElement error = await ErrorOfAsync(response);
        string message = error.GetProperty("message").GetString()!;
        Assert.Equal("context_length_exceeded", error.GetProperty("code").GetString());
        Assert.Equal("prompt", error.GetProperty("param").GetString());
        Assert.Contains("48 tokens", message);
        Assert.Contains("45 in 'prompt'", message);
        Assert.Contains("4 for the completion", message);
    }

    [Fact]
    public async Task Completion_FillsTheContextExactly_IsAnswered()
    {
        JsonElement answer = await small.Server.CompleteJsonAsync(
            $$"""{"model":"plain","prompt":"{{new string('a', 44)}}","max_tokens":4,"ignore_eos":true}""");
        Assert.Equal(48, answer.GetProperty("usage").GetProperty("total_tokens").GetInt32());
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, false)]
    [InlineData(false, true)]
    public async Task Completion_BodyTooLarge_Is413(bool asksFirst, bool isChunked)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/completions")
        {
            Content = Json($$"""{"model":"plain","prompt":"{{new string('a', (8 << 20) + 1)}}"}"""),
        };
        request.Headers.ExpectContinue = asksFirst;
        request.Headers.TransferEncodingChunked = isChunked;
        using HttpResponseMessage response = await small.Server.Client.SendAsync(request);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
        Assert.Equal("request_too_large", (await ErrorOfAsync(response)).GetProperty("code").GetString());
    }

    [Fact]
    public async Task Completion_InvalidUtf8_Is400()
    {
        using var content = new ByteArrayContent([.. "{\"model\":\"plain\",\"prompt\":\""u8, 0xFF, 0xFE, .. "\"}"u8]);
        content.Headers.ContentType = new("application/json");
        using HttpResponseMessage response = await small.Server.Client.PostAsync("/v1/completions", content);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal("prompt", (await ErrorOfAsync(response)).GetProperty("param").GetString());
    }

    [Fact]
    public async Task Completion_TooDeep_Is400()
    {
        string body = $$"""{"model":"plain","prompt":"x","deep":{{new string('[', 40)}}{{new string(']', 40)}}}""";
        using HttpResponseMessage response = await small.Server.CompleteAsync(body);
        Assert.Equal("invalid_json", (await ErrorOfAsync(response)).GetProperty("code").GetString());
    }

    [Theory]
    [InlineData("GET", "/v1/nope", 404, "not_found")]
    [InlineData("GET", "/v1", 404, "not_found")]
    [InlineData("GET", "/v1/completions", 405, "method_not_allowed")]
    [InlineData("DELETE", "/v1/models", 405, "method_not_allowed")]
    [InlineData("GET", "/v1/models/nope", 404, "model_not_found")]
    public async Task Api_RouteOrMethodUnknown_AnswersTheErrorObject(string method, string path, int status, string code)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        using HttpResponseMessage response = await small.Server.Client.SendAsync(request);
        Assert.Equal(status, (int)response.StatusCode);
        Assert.Equal(code, (await ErrorOfAsync(response)).GetProperty("code").GetString());
    }

    [Fact]
    public async Task Completion_NotJson_Is415()
    {
        using HttpResponseMessage response = await small.Server.Client.PostAsync(
            "/v1/completions", new StringContent("{}", Encoding.UTF8, "text/plain"));
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, response.StatusCode);
        Assert.Equal("unsupported_media_type", (await ErrorOfAsync(response)).GetProperty("code").GetString());
    }

    [Theory]
    [InlineData("GET", "/nope", 404)]
    [InlineData("POST", "/health/live", 405)]
    public async Task OtherRoute_Unknown_AnswersProblemDetails(string method, string path, int status)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        using HttpResponseMessage response = await small.Server.Client.SendAsync(request);
        Assert.Equal(status, (int)response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType!.MediaType);
        using JsonDocument problem = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        Assert.Equal(status, problem.RootElement.GetProperty("status").GetInt32());
        Assert.NotEmpty(problem.RootElement.GetProperty("traceId").GetString()!);
    }

    private static StringContent Json(string body) => new(body, Encoding.UTF8, "application/json");

    private static async Task<JsonElement> ErrorOfAsync(HttpResponseMessage response)
    {
        Assert.Equal("application/json", response.Content.Headers.ContentType!.MediaType);
        using JsonDocument document = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        JsonElement error = document.RootElement.GetProperty("error");
        Assert.Equal(["message", "type", "param", "code"], error.EnumerateObject().Select(property => property.Name));
        Assert.Equal(JsonValueKind.String, error.GetProperty("message").ValueKind);
        return error.Clone();
    }
}
