using System.Net;
using System.Text.Json;

namespace Serving.Server.Tests.Hosting;

public sealed class HttpTests(SmallServer small) : IClassFixture<SmallServer>
{
    [Theory]
    [InlineData("abc-DEF_1.2:3", true)]
    [InlineData("with space", false)]
    [InlineData("<script>", false)]
    public async Task RequestId_Harmless_IsTheCallers(string given, bool isKept)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/models");
        request.Headers.TryAddWithoutValidation("x-request-id", given);
        using HttpResponseMessage response = await small.Server.Client.SendAsync(request);
        Assert.Equal(isKept, response.Headers.GetValues("x-request-id").Single() == given);
    }

    [Theory]
    [InlineData("/v1/models")]
    [InlineData("/health/live")]
    [InlineData("/nope")]
    [InlineData("/v1/nope")]
    [InlineData("/openapi/v1.json")]
    [InlineData("/swagger/index.html")]
    public async Task Response_Any_HasARequestIdAndNoServerHeader(string path)
    {
        using HttpResponseMessage response = await small.Server.Client.GetAsync(path);
        Assert.Matches("^req-[0-9a-f]{32}$", response.Headers.GetValues("x-request-id").Single());
        Assert.False(response.Headers.Contains("Server"));
    }

    [Fact]
    public async Task Health_Ready_NamesEveryModel()
    {
        using HttpResponseMessage response = await small.Server.Client.GetAsync("/health/ready");
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        using JsonDocument report = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        Assert.Equal("ready", report.RootElement.GetProperty("models").GetProperty("plain").GetString());
    }

    [Fact]
    public async Task OpenApi_EveryRoute_IsNamedSummarizedAndHasSchemas()
    {
        using JsonDocument document = JsonDocument.Parse(await small.Server.Client.GetStringAsync("/openapi/v1.json"));
        Assert.StartsWith("3.1", document.RootElement.GetProperty("openapi").GetString(), StringComparison.Ordinal);
        JsonElement[] operations = [.. document.RootElement.GetProperty("paths").EnumerateObject()
            .SelectMany(path => path.Value.EnumerateObject()).Select(operation => operation.Value)];
        Assert.Equal(operations.Length, operations.Select(operation => operation.GetProperty("operationId").GetString()).Distinct().Count());
        Assert.All(operations, operation =>
        {
            Assert.NotEmpty(operation.GetProperty("summary").GetString()!);
            foreach (JsonProperty body in operation.TryGetProperty("requestBody", out JsonElement request)
                ? request.GetProperty("content").EnumerateObject() : default)
                Assert.True(body.Value.TryGetProperty("example", out _), operation.GetProperty("operationId").GetString());
            foreach (JsonProperty response in operation.GetProperty("responses").EnumerateObject())
            {
                JsonElement content = response.Value.GetProperty("content");
                Assert.All(content.EnumerateObject(), media => Assert.True(media.Value.TryGetProperty("schema", out _)));
                if (response.Name == "200" && content.TryGetProperty("application/json", out JsonElement answer))
                    Assert.True(answer.TryGetProperty("example", out _), operation.GetProperty("operationId").GetString());
            }
        });
        // Whatever needs a key says so, and what errors look like.
        Assert.All(operations.Where(operation => operation.GetProperty("tags")[0].GetString() != "Health"), operation =>
        {
            Assert.True(operation.GetProperty("responses").TryGetProperty("401", out _));
            Assert.NotEmpty(operation.GetProperty("security").EnumerateArray());
        });
        JsonElement schemas = document.RootElement.GetProperty("components").GetProperty("schemas");
        Assert.Equal(4, schemas.GetProperty("CompletionPrompt").GetProperty("oneOf").GetArrayLength());
        Assert.Equal(2, schemas.GetProperty("StopTexts").GetProperty("oneOf").GetArrayLength());
        Assert.True(schemas.GetProperty("ApiError").GetProperty("properties").TryGetProperty("param", out _));
    }

    [Fact]
    public async Task Swagger_ItsPage_AsksNobodyElse()
    {
        string page = await small.Server.Client.GetStringAsync("/swagger/index.html");
        Assert.DoesNotContain("http://", page);
        Assert.DoesNotContain("https://", page);
        Assert.Contains("/openapi/v1.json", await small.Server.Client.GetStringAsync("/swagger/index.js"));
    }
}
