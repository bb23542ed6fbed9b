using System.Net;
using System.Text;
using Serving.Testing;

namespace Serving.EndToEnd;

public sealed class ShutdownTests : IDisposable
{
    private const string Endless =
        """{"model":"endless","prompt":"x","max_tokens":110000,"ignore_eos":true,"stream":true}""";

    private readonly CheckpointCopies _copies = new();

    public ShutdownTests() => _copies.AddEndless("endless");

    public void Dispose() => _copies.Dispose();

    [Fact]
    public async Task Signal_StreamOutlivesTheTimeout_EndsWithAnErrorAndExits0()
    {
        await using ServerProcess server = await ServerProcess.StartAsync(_copies.Path, "--Serving:ShutdownSeconds=1");
        using HttpResponseMessage stream = await StartStreamAsync(server);
        await server.SignalAsync("TERM");
        string tail = await ReadUntilBrokenAsync(stream);
        Assert.EndsWith("}\n\n", tail, StringComparison.Ordinal);
        Assert.Contains("\"code\":\"shutting_down\"", tail);
        Assert.Equal(0, await server.WaitForExitAsync());
    }

    [Fact]
    public async Task Signal_StreamInFlight_RefusesNewWorkAndTheSecondSignalEndsAtOnce()
    {
        await using ServerProcess server = await ServerProcess.StartAsync(_copies.Path, "--Serving:ShutdownSeconds=3600");
        using HttpResponseMessage stream = await StartStreamAsync(server);
        await server.SignalAsync("INT");
        await ServerProcess.UntilAsync(async () =>
            (await server.Client.GetAsync("/health/ready")).StatusCode == HttpStatusCode.ServiceUnavailable);
        Assert.Equal(HttpStatusCode.OK, (await server.Client.GetAsync("/health/live")).StatusCode);
        using HttpResponseMessage refused = await PostAsync(server);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.Equal("1", refused.Headers.GetValues("Retry-After").Single());
        await server.SignalAsync("INT");
        Assert.Contains("\"code\":\"shutting_down\"", await ReadUntilBrokenAsync(stream));
        Assert.Equal(0, await server.WaitForExitAsync());
    }

    private static Task<HttpResponseMessage> PostAsync(ServerProcess server) => server.Client.SendAsync(
        new HttpRequestMessage(HttpMethod.Post, "/v1/completions") { Content = new StringContent(Endless, Encoding.UTF8, "application/json") },
        HttpCompletionOption.ResponseHeadersRead);

    private static async Task<HttpResponseMessage> StartStreamAsync(ServerProcess server)
    {
        HttpResponseMessage response = await PostAsync(server);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return response;
    }

    /// <returns>The last part of the stream; fails when it ends as if it were whole.</returns>
    private static async Task<string> ReadUntilBrokenAsync(HttpResponseMessage response)
    {
        Stream body = await response.Content.ReadAsStreamAsync();
        byte[] buffer = new byte[65536];
        var tail = new StringBuilder();
        try
        {
            for (int read; (read = await body.ReadAsync(buffer)) > 0;)
            {
                tail.Append(Encoding.UTF8.GetString(buffer, 0, read));
                tail.Remove(0, Math.Max(0, tail.Length - 2000));
            }
        }
        catch (Exception broken) when (broken is IOException or HttpRequestException)
        {
            return tail.ToString();
        }
        throw new InvalidOperationException("The stream ended as if it were whole.");
    }
}
