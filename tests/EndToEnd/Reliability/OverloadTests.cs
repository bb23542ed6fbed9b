using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Serving.Testing;

namespace Serving.EndToEnd.Reliability;

/// <summary>More than the server can do, and clients that do not read. The timed figures are those of <c>bench/overload.py</c>.</summary>
public sealed class OverloadTests
{
    private const string Body = """{"model":"plain","prompt":"Hello","max_tokens":30,"temperature":0,"ignore_eos":true}""";

    [Fact]
    public async Task Overload_TenTimesTheCapacity_RefusesWithRetryAfterAndFailsNobody()
    {
        await using ServerProcess server = await ServerProcess.StartAsync(
            TestData.Path("checkpoints"), "--Serving:Batch:MaxRunning=4", "--Serving:Queue:MaxRequests=8");
        string expected = await TextAsync(server);
        int requests = Count.Of(few: 400, full: 4_000);
        int accepted = 0, refused = 0;
        await Parallel.ForAsync(0, requests, new ParallelOptions { MaxDegreeOfParallelism = 120 }, async (_, _) =>
        {
            using HttpResponseMessage response = await PostAsync(server);
            if (response.StatusCode == HttpStatusCode.TooManyRequests)
            {
                Assert.InRange(int.Parse(response.Headers.GetValues("Retry-After").Single(), CultureInfo.InvariantCulture), 1, 120);
                Assert.Contains("queue_full", await response.Content.ReadAsStringAsync(CancellationToken.None));
                Interlocked.Increment(ref refused);
                return;
            }
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            Assert.Equal(expected, await TextOfAsync(response));
            Interlocked.Increment(ref accepted);
        });
        Assert.True(accepted > 0 && refused > 0, $"{accepted} accepted, {refused} refused");
        Assert.Equal(expected, await TextAsync(server));
    }

    // R11: the socket's buffers are small and nobody reads them; the engine must not notice, and the stream must be over soon.
    [Fact]
    public async Task Stream_NeverRead_IsDropped()
    {
        using var copies = new CheckpointCopies();
        copies.AddEndless("endless");
        copies.Add("plain", "plain");
        await using ServerProcess server = await ServerProcess.StartAsync(copies.Path, "--Serving:WriteTimeoutSeconds=1", "--Serving:Batch:MaxRunning=4");
        string expected = await TextAsync(server);
        Socket[] readers = [.. Enumerable.Range(0, Count.Of(few: 3, full: 50)).Select(_ => Connect(server))];
        foreach (Socket reader in readers)
        {
            string body = """{"model":"endless","prompt":"x","max_tokens":110000,"ignore_eos":true,"stream":true,"logprobs":20}""";
            await reader.SendAsync(Encoding.ASCII.GetBytes(
                $"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}"));
        }
        await ServerProcess.UntilAsync(() => Task.FromResult(server.Log.Count(line => line.Contains("\"Status\":499", StringComparison.Ordinal)) == readers.Length));
        Assert.Equal(expected, await TextAsync(server));
        Array.ForEach(readers, reader => reader.Dispose());
    }

    private static Socket Connect(ServerProcess server)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 4096 };
        socket.Connect(server.Client.BaseAddress!.Host, server.Client.BaseAddress.Port);
        return socket;
    }

    private static Task<HttpResponseMessage> PostAsync(ServerProcess server) =>
        server.Client.PostAsync("/v1/completions", new StringContent(Body, Encoding.UTF8, "application/json"));

    private static async Task<string> TextAsync(ServerProcess server)
    {
        using HttpResponseMessage response = await PostAsync(server);
        return await TextOfAsync(response);
    }

    private static async Task<string> TextOfAsync(HttpResponseMessage response) =>
        JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement.GetProperty("choices")[0].GetProperty("text").GetString()!;
}
