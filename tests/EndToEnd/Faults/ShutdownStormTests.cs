using System.Net;
using Serving.Testing;

namespace Serving.EndToEnd.Faults;

[Collection(FaultSeries.Name)]
public sealed class ShutdownStormTests : IDisposable
{
    private readonly CheckpointCopies _copies = new();

    public ShutdownStormTests() => _copies.AddEndless("endless");

    public void Dispose() => _copies.Dispose();

    [Fact]
    public async Task R03_SigtermWhileStreaming_EveryStreamEndsWhole()
    {
        await using ServerProcess server = await ServerProcess.StartAsync(_copies.Path, "--Serving:ShutdownSeconds=300");
        using var load = new Load(server.Client.BaseAddress!);
        // One that outlasts the others keeps the server from ending before it was asked once more.
        using HttpResponseMessage last = await server.Client.SendAsync(
            Load.Post(Load.Body("endless", 110_000, stream: true)), HttpCompletionOption.ResponseHeadersRead);
        HttpResponseMessage[] streams = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => server.Client.SendAsync(
            Load.Post(Load.Body("endless", 600, stream: true)), HttpCompletionOption.ResponseHeadersRead)));
        double running = (await Vitals.HeldAsync(server)).Running;
        await server.SignalAsync("TERM");
        await ServerProcess.UntilAsync(async () => (await server.Client.GetAsync("/health/ready")).StatusCode == HttpStatusCode.ServiceUnavailable);
        Load.Outcome refused = await load.SendAsync(Load.Body("endless", 1));
        (string Tail, bool IsBroken)[] ends = await Task.WhenAll(streams.Select(ReadToEndAsync));
        last.Dispose();
        FaultScale.Record("R03", $"{ends.Count(end => end.IsBroken)} of 50 streams cut by SIGTERM, {running - 1:0} of them running when it came");
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "1"), (refused.Status, refused.RetryAfter));
        Assert.All(ends, end => Assert.Equal(("data: [DONE]", false), end));
        Assert.Equal(0, await server.WaitForExitAsync());
    }

    [Fact]
    public async Task R05_StreamsLongerThanTheTimeout_EndWithAnErrorAndABrokenConnection()
    {
        await using ServerProcess server = await ServerProcess.StartAsync(_copies.Path, "--Serving:ShutdownSeconds=1");
        HttpResponseMessage[] streams = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => server.Client.SendAsync(
            Load.Post(Load.Body("endless", 110_000, stream: true)), HttpCompletionOption.ResponseHeadersRead)));
        await server.SignalAsync("TERM");
        foreach ((string tail, bool isBroken) in await Task.WhenAll(streams.Select(ReadToEndAsync)))
        {
            Assert.True(isBroken);
            Assert.Contains("\"code\":\"shutting_down\"", tail);
            Assert.DoesNotContain("[DONE]", tail);
        }
        Assert.Equal(0, await server.WaitForExitAsync());
        FaultScale.Record("R05", $"10 of 10 streams ended with an error event and a broken connection");
    }

    private static async Task<(string Tail, bool IsBroken)> ReadToEndAsync(HttpResponseMessage response)
    {
        using StreamReader reader = new(await response.Content.ReadAsStreamAsync());
        string tail = "";
        try
        {
            while (await reader.ReadLineAsync() is { } line)
                tail = line.Length > 0 ? line : tail;
            return (tail, false);
        }
        catch (Exception broken) when (broken is IOException or HttpRequestException)
        {
            return (tail, true);
        }
    }
}
