using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Serving.Testing;

namespace Serving.EndToEnd.Faults;

[Collection(FaultSeries.Name)]
public sealed class ClientFaultTests : IDisposable
{
    private readonly CheckpointCopies _copies = new();

    public ClientFaultTests()
    {
        _copies.Add("plain", "plain");
        _copies.Add("interleaved", "other");
        _copies.AddEndless("endless");
    }

    public void Dispose() => _copies.Dispose();

    [Fact]
    public async Task R07_ClientsLeaveAfterTheFirstChunk_NothingIsHeldAndLittleIsGenerated()
    {
        await using ServerProcess server = await ServerProcess.StartAsync(_copies.Path);
        string small = await LeaveAsync(server, "endless", 100_000, FaultScale.Of(500, 100));
        await using ServerProcess bundled = await ServerProcess.StartAsync(Path.Combine(TestData.RepositoryRoot, "models"), "--Serving:Include=glyph-en");
        string expert = await LeaveAsync(bundled, "glyph-en", 500, FaultScale.Of(500, 100));
        FaultScale.Record("R07", $"clients that leave after the first chunk, 50 at a time: nothing held; test model: {small}; glyph-en: {expert}");
    }

    private static async Task<string> LeaveAsync(ServerProcess server, string model, int maxTokens, int streams)
    {
        Vitals vitals = await Vitals.OfAsync(server, model);
        double before = await GeneratedAsync();
        int received = 0;
        await Parallel.ForEachAsync(Enumerable.Range(0, streams), new ParallelOptions { MaxDegreeOfParallelism = 50 }, async (_, cancellation) =>
        {
            using HttpResponseMessage response = await server.Client.SendAsync(
                Load.Post(Load.Body(model, maxTokens, stream: true)), HttpCompletionOption.ResponseHeadersRead, cancellation);
            byte[] first = new byte[65536];
            int read = await (await response.Content.ReadAsStreamAsync(cancellation)).ReadAsync(first, cancellation);
            Interlocked.Add(ref received, Encoding.UTF8.GetString(first, 0, read).Split("data: ").Length - 1);
        });
        double generated = await GeneratedAsync() - before;
        // The engine lets go first; that an answer is over is counted by whoever wrote it.
        await ServerProcess.UntilAsync(async () =>
            Vitals.Sum(await server.Client.GetStringAsync("/metrics"), "vllm:request_success_total", "abort") == streams);
        await vitals.CheckAsync();
        return FormattableString.Invariant($"{generated / streams:0.0} tokens for each of {streams}, of which {(double)received / streams:0.0} were in the first chunk");

        async Task<double> GeneratedAsync()
        {
            await ServerProcess.UntilAsync(async () => await Vitals.HeldAsync(server) == (0, 0, 0));
            return Vitals.Sum(await server.Client.GetStringAsync("/metrics"), "vllm:generation_tokens_total", model);
        }
    }

    [Fact]
    public async Task R08_CancellationStorm_LeaksNoBlock()
    {
        await using ServerProcess server = await ServerProcess.StartAsync(_copies.Path, "--Serving:Batch:MaxRunning=16", "--Serving:Queue:MaxRequests=10000");
        Vitals vitals = await Vitals.OfAsync(server);
        using var load = new Load(server.Client.BaseAddress!);
        int requests = FaultScale.Of(5000, 800);
        string[] models = ["plain", "plain+other", "endless"];
        var random = new Random(8);
        (string Body, int Milliseconds)[] plan = [.. Enumerable.Range(0, requests).Select(i => (
            Load.Body(models[i % 3], i % 3 == 2 ? 2000 : 30, stream: random.Next(2) == 0, more: random.Next(3) == 0 ? ",\"n\":3" : ""), random.Next(201)))];
        int whole = 0;
        await Parallel.ForEachAsync(plan, new ParallelOptions { MaxDegreeOfParallelism = FaultScale.Of(200, 100) }, async (each, _) =>
        {
            using var leaving = new CancellationTokenSource(each.Milliseconds);
            if ((await load.SendAsync(each.Body, leaving.Token)).IsWhole)
                Interlocked.Increment(ref whole);
        });
        await vitals.CheckAsync();
        FaultScale.Record("R08", $"{requests - whole} of {requests} requests aborted at random: 0 blocks held, same answer as before");
        Assert.True(whole < requests);
    }

    [Fact]
    public async Task R09_HeadersThatNeverEnd_AreClosedAndOthersAreServed()
    {
        int seconds = FaultScale.Of(10, 1);
        await using ServerProcess server = await ServerProcess.StartAsync(_copies.Path, $"--Serving:HeaderSeconds={seconds}");
        Vitals vitals = await Vitals.OfAsync(server);
        using var load = new Load(server.Client.BaseAddress!);
        await load.RunAsync(200, 2, _ => Load.Body("plain", 20));
        IReadOnlyList<Load.Outcome> alone = await load.RunAsync(FaultScale.Of(2000, 200), 2, _ => Load.Body("plain", 20));
        int count = FaultScale.Of(200, 40);
        Socket[] sockets = [.. Enumerable.Range(0, count).Select(_ => Connect(server))];
        foreach (Socket socket in sockets)
            socket.Send("POST /v1/completions HTTP/1.1\r\nHost: x\r\n"u8);
        long start = Stopwatch.GetTimestamp();
        Task<double>[] closings = [.. sockets.Select(socket => DripAsync(socket, start))];
        IReadOnlyList<Load.Outcome> beside = await load.RunAsync(FaultScale.Of(2000, 200), 2, _ => Load.Body("plain", 20));
        await vitals.CheckAsync();
        double[] closed = await Task.WhenAll(closings);
        FaultScale.Record("R09", $"{count} connections that send a header every half second: all closed within {closed.Max():0.0} s at a limit of {seconds} s; 95th percentile of others {Percentile95(alone):0.0} ms alone, {Percentile95(beside):0.0} ms beside them");
        Assert.All(beside, outcome => Assert.True(outcome.IsWhole));

        static double Percentile95(IReadOnlyList<Load.Outcome> outcomes) => 1000 * FaultScale.Percentile(outcomes.Select(outcome => outcome.Seconds), 95);
    }

    [Fact]
    public async Task R10_BodyThatTrickles_Is408()
    {
        await using ServerProcess server = await ServerProcess.StartAsync(_copies.Path);
        int count = FaultScale.Of(200, 20);
        Socket[] sockets = [.. Enumerable.Range(0, count).Select(_ => Connect(server))];
        foreach (Socket socket in sockets)
            socket.Send("POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{"u8);
        string[] answers = await Task.WhenAll(sockets.Select(ReadToEndAsync));
        FaultScale.Record("R10", $"{answers.Count(answer => answer.StartsWith("HTTP/1.1 408", StringComparison.Ordinal))} of {count} slow bodies answered 408");
        Assert.All(answers, answer => Assert.StartsWith("HTTP/1.1 408", answer, StringComparison.Ordinal));
    }

    [Fact]
    public async Task R11_ReadersThatNeverRead_AreDroppedAndTheOthersGoOn()
    {
        await using ServerProcess server = await ServerProcess.StartAsync(_copies.Path, $"--Serving:WriteTimeoutSeconds={FaultScale.Of(10, 2)}");
        Vitals vitals = await Vitals.OfAsync(server);
        using var load = new Load(server.Client.BaseAddress!);
        double alone = await StreamsPerSecondAsync(load);
        double start = await Vitals.ResidentMiBAsync(server);
        int count = FaultScale.Of(50, 8);
        // The first time K/V memory is touched that the memory plan has told; what the second time costs is theirs.
        await NeverReadAsync(server, load, count);
        double before = await Vitals.ResidentMiBAsync(server);
        (double most, double blocked, double beside) = await NeverReadAsync(server, load, count);
        await vitals.CheckAsync();
        double after = await Vitals.ResidentMiBAsync(server);
        FaultScale.Record("R11", $"{count} readers that never read, twice: all dropped; resident memory {start:0} MiB, {before:0} after the first time, at most {most:0} in the second, {after:0} after it; other streams whole, {beside / alone:0%} of their speed alone beside {blocked:0} blocked ones");
        Assert.True(most - before < FaultScale.Of(128, 64), $"{before}, then {most} MiB");
    }

    private static async Task<(double MostMiB, double Blocked, double OthersPerSecond)> NeverReadAsync(ServerProcess server, Load load, int count)
    {
        var patience = TimeSpan.FromMinutes(3);
        // Long events: the kernel takes megabytes before anybody notices that nothing is read.
        byte[] body = Encoding.UTF8.GetBytes(Load.Body("endless", 110_000, stream: true, more: ",\"logprobs\":20"));
        byte[] head = Encoding.ASCII.GetBytes($"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n");
        Socket[] sockets = [.. Enumerable.Range(0, count).Select(_ => Connect(server, receiveBuffer: 4096))];
        foreach (Socket socket in sockets)
            socket.Send([.. head, .. body]);
        await ServerProcess.UntilAsync(async () => (await Vitals.HeldAsync(server)).Running > 0);
        double most = 0;
        Task dropped = ServerProcess.UntilAsync(async () =>
        {
            most = Math.Max(most, await Vitals.ResidentMiBAsync(server));
            return await Vitals.HeldAsync(server) == (0, 0, 0);
        }, patience);
        await ServerProcess.UntilAsync(async () => !await IsGeneratingAsync(server), patience);
        double blocked = (await Vitals.HeldAsync(server)).Running;
        double others = await StreamsPerSecondAsync(load);
        await dropped;
        foreach (Socket socket in sockets)
            socket.Dispose();
        return (most, blocked, others);
    }

    private static async Task<double> StreamsPerSecondAsync(Load load)
    {
        long start = Stopwatch.GetTimestamp();
        IReadOnlyList<Load.Outcome> streams = await load.RunAsync(FaultScale.Of(500, 100), 4, _ => Load.Body("plain", 30, stream: true));
        Assert.All(streams, outcome => Assert.True(outcome.IsWhole));
        return streams.Count / Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static async Task<bool> IsGeneratingAsync(ServerProcess server)
    {
        double generated = await GeneratedAsync();
        await Task.Delay(200);
        return await GeneratedAsync() != generated;

        async Task<double> GeneratedAsync() => Vitals.Sum(await server.Client.GetStringAsync("/metrics"), "vllm:generation_tokens_total", "endless");
    }

    [Fact]
    public async Task R12_IdleConnections_DoNotKeepOthersOut()
    {
        await using ServerProcess server = await ServerProcess.StartAsync(_copies.Path);
        Vitals vitals = await Vitals.OfAsync(server);
        double before = await Vitals.ResidentMiBAsync(server);
        int count = FaultScale.Of(5000, 800);
        Socket[] sockets = [.. Enumerable.Range(0, count).Select(_ => Connect(server))];
        await vitals.CheckAsync();
        double growth = await Vitals.ResidentMiBAsync(server) - before;
        FaultScale.Record("R12", $"{count} idle connections: answers as before, {growth:0} MiB more resident memory");
        Assert.True(growth < 200);
        foreach (Socket socket in sockets)
            socket.Dispose();
        await vitals.CheckAsync();
    }

    [Fact]
    public async Task R28_FewFileDescriptors_KeepsItsOwnAndTheOldConnections()
    {
        const int Files = 512;
        Assert.SkipUnless(File.Exists("/bin/sh"), "there is no shell to limit it");
        await using ServerProcess server = await ServerProcess.StartInAsync(
            _copies.Path, ["sh", "-c", $"ulimit -n {Files} && exec \"$@\"", "sh"], new Dictionary<string, string>());
        Vitals vitals = await Vitals.OfAsync(server);
        Socket[] sockets = [.. Enumerable.Range(0, 2 * Files).Select(_ => Connect(server))];
        // Its own connection was there before, so it is served beside them.
        await vitals.CheckAsync();
        int most = server.OpenFiles;
        foreach (Socket socket in sockets)
            socket.Dispose();
        await ServerProcess.UntilAsync(async () =>
        {
            using var client = new Load(server.Client.BaseAddress!);
            return (await client.SendAsync(Load.Body("plain", 3))).IsWhole;
        });
        FaultScale.Record("R28", $"{sockets.Length} connections where the process may open {Files} files: it has {most} open, answers as before to those that were there, and to all when they have left");
        Assert.True(most < Files);
        await vitals.CheckAsync();
    }

    private static Socket Connect(ServerProcess server, int receiveBuffer = 0)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        if (receiveBuffer > 0)
            socket.ReceiveBufferSize = receiveBuffer;
        socket.Connect(IPAddress.Loopback, server.Client.BaseAddress!.Port);
        return socket;
    }

    /// <summary>Sends a header now and then until the other side has had enough.</summary>
    /// <returns>Seconds since the start.</returns>
    private static async Task<double> DripAsync(Socket socket, long start)
    {
        Task<string> end = ReadToEndAsync(socket);
        for (int i = 0; !end.IsCompleted; i++)
        {
            await Task.WhenAny(end, Task.Delay(500));
            try
            {
                await socket.SendAsync(Encoding.ASCII.GetBytes($"X-{i}: y\r\n"));
            }
            catch (Exception closed) when (closed is SocketException or ObjectDisposedException)
            {
                break;
            }
        }
        await end;
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static async Task<string> ReadToEndAsync(Socket socket)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        using var stream = new NetworkStream(socket, ownsSocket: true);
        var text = new StringBuilder();
        byte[] buffer = new byte[4096];
        try
        {
            for (int read; (read = await stream.ReadAsync(buffer, patience.Token)) > 0;)
                text.Append(Encoding.UTF8.GetString(buffer, 0, read));
        }
        catch (IOException)
        {
            // Closed by force is closed, too.
        }
        return text.ToString();
    }
}
