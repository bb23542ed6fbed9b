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
        Vitals vitals = await Vitals.OfAsync(server);
        int streams = FaultScale.Of(500, 100);
        await Parallel.ForEachAsync(Enumerable.Range(0, streams), new ParallelOptions { MaxDegreeOfParallelism = 50 }, async (_, cancellation) =>
        {
            using HttpResponseMessage response = await server.Client.SendAsync(
                Load.Post(Load.Body("endless", 100_000, stream: true)), HttpCompletionOption.ResponseHeadersRead, cancellation);
            await (await response.Content.ReadAsStreamAsync(cancellation)).ReadExactlyAsync(new byte[64], cancellation);
        });
        await vitals.CheckAsync();
        double tokens = Vitals.Sum(await server.Client.GetStringAsync("/metrics"), "vllm:generation_tokens_total", "endless");
        FaultScale.Record("R07", $"{streams} clients left after the first chunk: nothing held, {tokens / streams:0} tokens generated for each");
        Assert.Equal(streams, Vitals.Sum(await server.Client.GetStringAsync("/metrics"), "vllm:request_success_total", "abort"));
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
    public async Task R09_HeadersThatNeverEnd_AreClosed()
    {
        await using ServerProcess server = await ServerProcess.StartAsync(_copies.Path, "--Serving:HeaderSeconds=1");
        Vitals vitals = await Vitals.OfAsync(server);
        int count = FaultScale.Of(200, 40);
        Socket[] sockets = [.. Enumerable.Range(0, count).Select(_ => Connect(server))];
        foreach (Socket socket in sockets)
            socket.Send("POST /v1/completions HTTP/1.1\r\nHost: x\r\n"u8);
        await vitals.CheckAsync();
        foreach (Socket socket in sockets)
            await ReadToEndAsync(socket);
        FaultScale.Record("R09", $"{count} of {count} connections with endless headers closed");
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
        await using ServerProcess server = await ServerProcess.StartAsync(_copies.Path, "--Serving:WriteTimeoutSeconds=2");
        Vitals vitals = await Vitals.OfAsync(server);
        double before = await Vitals.ResidentMiBAsync(server);
        int count = FaultScale.Of(50, 8);
        // Long events: the kernel takes megabytes before anybody notices that nothing is read.
        byte[] body = Encoding.UTF8.GetBytes(Load.Body("endless", 110_000, stream: true, more: ",\"logprobs\":20"));
        byte[] head = Encoding.ASCII.GetBytes($"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n");
        Socket[] sockets = [.. Enumerable.Range(0, count).Select(_ => Connect(server, receiveBuffer: 4096))];
        foreach (Socket socket in sockets)
            socket.Send([.. head, .. body]);
        using var load = new Load(server.Client.BaseAddress!);
        IReadOnlyList<Load.Outcome> others = await load.RunAsync(50, 4, _ => Load.Body("plain", 30, stream: true));
        Assert.All(others, outcome => Assert.True(outcome.IsWhole));
        await vitals.CheckAsync();
        double growth = await Vitals.ResidentMiBAsync(server) - before;
        FaultScale.Record("R11", $"{count} readers that never read dropped, {growth:0} MiB more resident memory, other streams whole");
        Assert.True(growth < 128);
        foreach (Socket socket in sockets)
            socket.Dispose();
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
    public async Task R28_FewFileDescriptors_RecoversByItself()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/prlimit"), "prlimit is not installed");
        await using ServerProcess server = await ServerProcess.StartAsync(_copies.Path);
        Vitals vitals = await Vitals.OfAsync(server);
        await server.LimitFilesAsync(server.OpenFiles + 10);
        Socket[] sockets = [.. Enumerable.Range(0, 200).Select(_ => Connect(server))];
        foreach (Socket socket in sockets)
            socket.Dispose();
        await ServerProcess.UntilAsync(async () =>
        {
            using var client = new Load(server.Client.BaseAddress!);
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(2));
            return (await client.SendAsync(Load.Body("plain", 3), patience.Token)).IsWhole;
        });
        Assert.Equal(HttpStatusCode.OK, (await server.Client.GetAsync("/health/live")).StatusCode);
        FaultScale.Record("R28", $"200 connections at a limit of 10 more files: recovers by itself");
        _ = vitals;
    }

    private static Socket Connect(ServerProcess server, int receiveBuffer = 0)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        if (receiveBuffer > 0)
            socket.ReceiveBufferSize = receiveBuffer;
        socket.Connect(IPAddress.Loopback, server.Client.BaseAddress!.Port);
        return socket;
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
