using Serving.Inference;
using Serving.Server.Models;

namespace Serving.Server.Peers;

/// <summary>The peer's side of one stream: a backend with K/V of its own, which computes the front's steps one by one.</summary>
internal sealed class PeerSession(ServedModel model, Stream requests, Stream answers)
{
    private readonly FrameReader _reader = new(requests);
    private readonly FrameWriter _writer = new();
    private readonly ForwardBatch _batch = new();
    private float[] _logits = [];

    /// <summary>Serves until the front closes the stream.</summary>
    /// <param name="stopping">No further step is taken; the one in progress is answered.</param>
    /// <param name="cancellation">The front is gone.</param>
    /// <exception cref="InvalidDataException">The front does not keep to the protocol.</exception>
    public async Task RunAsync(CancellationToken stopping, CancellationToken cancellation)
    {
        LogitEncoding encoding = await ReadOpenAsync(stopping);
        using IBackend backend = model.NewBackend();
        var codec = new LogitCodec(backend.Shape.VocabularySize, encoding);
        new PeerGreeting(backend.Shape, backend.Kv, model.Fingerprint, model.Tokenizer.Fingerprint).Write(_writer);
        await SendAsync(cancellation);
        while (await _reader.ReadAsync(stopping) is { } frame)
        {
            if (frame.Kind != FrameKind.Step)
                throw new InvalidDataException($"A step was expected, {frame.Kind} came.");
            uint step = StepFrame.Read(frame.Payload.Span, _batch);
            Compute(step, backend, codec);
            await SendAsync(cancellation);
        }
    }

    private async Task<LogitEncoding> ReadOpenAsync(CancellationToken cancellation)
    {
        return await _reader.ReadAsync(cancellation) is (FrameKind.Open, var payload)
            ? Read(payload.Span)
            : throw new InvalidDataException("A stream begins with Open.");

        static LogitEncoding Read(ReadOnlySpan<byte> payload)
        {
            var reader = new PayloadReader(payload);
            int version = reader.UInt16();
            LogitEncoding encoding = new((LogitForm)reader.Byte(), reader.Count());
            return version == PeerGreeting.Version && Enum.IsDefined(encoding.Kind) && (encoding.Kind == LogitForm.Top) == (encoding.Top > 0)
                ? encoding
                : throw new InvalidDataException($"Version {version} with logits as {encoding} is not known here.");
        }
    }

    private void Compute(uint step, IBackend backend, LogitCodec codec)
    {
        int vocabulary = backend.Shape.VocabularySize;
        int values = checked(_batch.LogitRows * vocabulary);
        if (_logits.Length < values)
            _logits = GC.AllocateUninitializedArray<float>(values);
        try
        {
            backend.Forward(_batch, _logits.AsSpan(0, values));
        }
        catch (Exception fault)
        {
            _writer.Begin(FrameKind.Fault);
            _writer.UInt32(step);
            _writer.Text(fault.Message);
            return;
        }
        _writer.Begin(FrameKind.Logits);
        _writer.UInt32(step);
        for (int row = 0; row < _batch.LogitRows; row++)
            codec.Write(_logits.AsSpan(row * vocabulary, vocabulary), _writer.Take(codec.RowBytes));
    }

    private async Task SendAsync(CancellationToken cancellation)
    {
        await answers.WriteAsync(_writer.End(), cancellation);
        await answers.FlushAsync(cancellation);
    }
}
