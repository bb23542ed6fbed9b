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
        await using ServerProcess server = await ServerProcess.StartAsync(_copies.Path);
        using var load = new Load(server.Client.BaseAddress!);
        Task<IReadOnlyList<Load.Outcome>> running = load.RunAsync(50, 50, _ => Load.Body("endless", 400, stream: true));
        await ServerProcess.UntilAsync(async () => (await Vitals.HeldAsync(server)).Running == 50);
        await server.SignalAsync("TERM");
        await ServerProcess.UntilAsync(async () => (await server.Client.GetAsync("/health/ready")).StatusCode == HttpStatusCode.ServiceUnavailable);
        Load.Outcome refused = await load.SendAsync(Load.Body("endless", 1));
        IReadOnlyList<Load.Outcome> outcomes = await running;
        FaultScale.Record("R03", $"{outcomes.Count(outcome => !outcome.IsWhole)} of 50 streams cut by SIGTERM");
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "1"), (refused.Status, refused.RetryAfter));
        Assert.All(outcomes, outcome => Assert.True(outcome.IsWhole, outcome.Fault));
        Assert.Equal(0, await server.WaitForExitAsync());
    }

    [Fact]
    public async Task R05_StreamsLongerThanTheTimeout_EndWithAnErrorAndABrokenConnection()
    {
        await using ServerProcess server = await ServerProcess.StartAsync(_copies.Path, "--Serving:ShutdownSeconds=1");
        HttpResponseMessage[] streams = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => server.Client.SendAsync(
            Load.Post(Load.Body("endless", 110_000, stream: true)), HttpCompletionOption.ResponseHeadersRead)));
        await server.SignalAsync("TERM");
        foreach (HttpResponseMessage stream in streams)
        {
            (string tail, bool isBroken) = await ReadToEndAsync(stream);
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
