using System.Net;
using System.Net.Http.Headers;

namespace Serving.Server.Peers;

/// <summary>The front's side of one stream: a replica's K/V memory for one backend, and which of its blocks are up to date. One step at a
/// time; a stream on which anything failed is disposed.</summary>
internal sealed class PeerStream : IDisposable
{
    private readonly TaskCompletionSource<Stream> _requests = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly FrameWriter _writer = new();
    private HttpResponseMessage? _response;
    private FrameReader _reader = null!;
    private Stream _output = null!;
    private long[] _holds = [];

    private PeerStream()
    {
    }

    /// <summary>What the replica said of itself.</summary>
    public PeerGreeting Greeting { get; private set; } = null!;

    /// <summary>Prompt and generated tokens that were computed once more because the replica did not hold them.</summary>
    public long ReplayedTokens { get; private set; }

    /// <summary>Bytes sent and received.</summary>
    public (long Sent, long Received) Bytes { get; private set; }

    /// <summary>Connects and greets.</summary>
    /// <exception cref="PeerException">The replica is not there, or does not serve the model now.</exception>
    public static async Task<PeerStream> OpenAsync(HttpClient client, Uri address, LogitEncoding encoding, CancellationToken cancellation)
    {
        var stream = new PeerStream();
        try
        {
            await stream.ConnectAsync(client, address, encoding, cancellation);
            return stream;
        }
        catch (Exception fault)
        {
            stream.Dispose();
            if (IsBroken(fault, cancellation))
                throw new PeerException($"The peer {address} cannot be used: {fault.Message}", fault);
            throw;
        }
    }

    /// <summary>Has a step computed, whatever it needs before included.</summary>
    /// <returns>The payload of the answer after its number: rows in the stream's encoding. Valid until the next step.</returns>
    /// <exception cref="PeerException">The replica did not answer.</exception>
    /// <exception cref="InvalidOperationException">The replica says that the step itself is at fault.</exception>
    public async Task<ReadOnlyMemory<byte>> StepAsync(StepPlan plan, KvShadow shadow, CancellationToken cancellation)
    {
        try
        {
            await ReplayAsync(plan, shadow, cancellation);
            StepFrame.Begin(_writer, plan.Step, plan.Chunks.Count);
            foreach (StepPlan.Chunk chunk in plan.Chunks)
                StepFrame.Chunk(_writer, chunk.Position, chunk.Tokens, chunk.Blocks, chunk.LogitRows);
            ReadOnlyMemory<byte> rows = await ExchangeAsync(plan.Step, cancellation);
            foreach (StepPlan.Chunk chunk in plan.Chunks)
                NoteHeld(chunk.Blocks.AsSpan(chunk.Position / shadow.Kv.BlockTokens), plan.Step + 1L);
            return rows;
        }
        catch (Exception fault) when (IsBroken(fault, cancellation))
        {
            throw new PeerException($"The peer's stream broke: {fault.Message}", fault);
        }
    }

    public void Dispose()
    {
        _ended.TrySetResult();
        _requests.TrySetCanceled();
        _response?.Dispose();
    }

    // Writing to a stream that the peer has just ended in order is told as cancelled, though nobody here did that, or as disposed.
    private static bool IsBroken(Exception fault, CancellationToken cancellation) =>
        fault is HttpRequestException or IOException or InvalidDataException or ObjectDisposedException
        || (fault is OperationCanceledException && !cancellation.IsCancellationRequested);

    private async Task ConnectAsync(HttpClient client, Uri address, LogitEncoding encoding, CancellationToken cancellation)
    {
        _writer.Begin(FrameKind.Open);
        _writer.UInt16(PeerGreeting.Version);
        _writer.Byte((byte)encoding.Kind);
        _writer.UInt32(encoding.Top);
        using var request = new HttpRequestMessage(HttpMethod.Post, address)
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new DuplexContent(_writer.End(), _requests, _ended.Task),
        };
        _response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
        _response.EnsureSuccessStatusCode();
        _reader = new FrameReader(await _response.Content.ReadAsStreamAsync(cancellation));
        _output = await _requests.Task.WaitAsync(cancellation);
        Greeting = await _reader.ReadAsync(cancellation) is (FrameKind.Opened, var payload)
            ? PeerGreeting.Read(payload.Span)
            : throw new InvalidDataException("It did not greet.");
        _holds = new long[Greeting.Kv.Blocks];
    }

    // A chunk's sequence from the first block that is missing or outdated, in as many chunks of a frame.
    private async Task ReplayAsync(StepPlan plan, KvShadow shadow, CancellationToken cancellation)
    {
        foreach (StepPlan.Chunk chunk in plan.Chunks)
        {
            int first = 0;
            while (first < chunk.Before.Length && _holds[chunk.Blocks[first]] == chunk.Before[first])
                first++;
            if (first == chunk.Before.Length)
                continue;
            int from = first * shadow.Kv.BlockTokens;
            int[] tokens = [.. Enumerable.Range(from, chunk.Position - from).Select(position => shadow.TokenAt(chunk, position))];
            StepFrame.Begin(_writer, plan.Step, 1);
            StepFrame.Chunk(_writer, from, tokens, chunk.Blocks, logitRows: 0);
            await ExchangeAsync(plan.Step, cancellation);
            for (int block = first; block < chunk.Before.Length; block++)
                _holds[chunk.Blocks[block]] = chunk.Before[block];
            ReplayedTokens += tokens.Length;
        }
    }

    private void NoteHeld(ReadOnlySpan<int> blocks, long write)
    {
        foreach (int block in blocks)
            _holds[block] = write;
    }

    private async Task<ReadOnlyMemory<byte>> ExchangeAsync(uint step, CancellationToken cancellation)
    {
        await SendAsync(cancellation);
        (FrameKind kind, ReadOnlyMemory<byte> payload) = await _reader.ReadAsync(cancellation)
            ?? throw new InvalidDataException("The peer ended the stream.");
        Bytes = (Bytes.Sent, Bytes.Received + FrameReader.HeaderBytes + payload.Length);
        return Check(kind, step, payload);
    }

    private static ReadOnlyMemory<byte> Check(FrameKind kind, uint step, ReadOnlyMemory<byte> payload)
    {
        var reader = new PayloadReader(payload.Span);
        if (kind is not (FrameKind.Logits or FrameKind.Fault) || reader.Count() != step)
            throw new InvalidDataException($"The answer to step {step} was expected, {kind} of another came.");
        return kind == FrameKind.Logits ? payload[sizeof(uint)..] : throw new InvalidOperationException($"The peer says: {reader.Text()}");
    }

    private async Task SendAsync(CancellationToken cancellation)
    {
        ReadOnlyMemory<byte> frame = _writer.End();
        await _output.WriteAsync(frame, cancellation);
        await _output.FlushAsync(cancellation);
        Bytes = (Bytes.Sent + frame.Length, Bytes.Received);
    }

    /// <summary>A request whose body is written as long as the stream lives.</summary>
    private sealed class DuplexContent : HttpContent
    {
        private readonly ReadOnlyMemory<byte> _first;
        private readonly TaskCompletionSource<Stream> _opened;
        private readonly Task _ended;

        public DuplexContent(ReadOnlyMemory<byte> first, TaskCompletionSource<Stream> opened, Task ended)
        {
            (_first, _opened, _ended) = (first, opened, ended);
            Headers.ContentType = new MediaTypeHeaderValue("application/vnd.serving.frames");
        }

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            // The headers leave only with the first bytes of the body.
            await stream.WriteAsync(_first);
            await stream.FlushAsync();
            _opened.TrySetResult(stream);
            await _ended;
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
