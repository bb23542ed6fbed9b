using System.Buffers.Binary;

namespace Serving.Server.Peers;

/// <summary>Reads frames from a stream: four bytes of length (little-endian, of the payload), one of kind, the payload.</summary>
internal sealed class FrameReader(Stream stream)
{
    /// <summary>No frame is longer: 64 rows of a million f32 logits.</summary>
    public const int MaxPayloadBytes = 1 << 28;

    public const int HeaderBytes = 5;

    private readonly byte[] _header = new byte[HeaderBytes];
    private byte[] _payload = new byte[4096];

    /// <summary>Reads a frame. Its payload is valid until the next call.</summary>
    /// <returns>Null at the end of the stream.</returns>
    /// <exception cref="InvalidDataException">A frame is too long.</exception>
    /// <exception cref="EndOfStreamException">The stream ends within a frame.</exception>
    public async ValueTask<(FrameKind Kind, ReadOnlyMemory<byte> Payload)?> ReadAsync(CancellationToken cancellation)
    {
        int read = await stream.ReadAtLeastAsync(_header, HeaderBytes, throwOnEndOfStream: false, cancellation);
        if (read == 0)
            return null;
        if (read < HeaderBytes)
            throw new EndOfStreamException("The stream ended within a frame.");
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(_header);
        if (length > MaxPayloadBytes)
            throw new InvalidDataException($"A frame may have {MaxPayloadBytes} bytes; one of {length} came.");
        if (_payload.Length < length)
            _payload = GC.AllocateUninitializedArray<byte>((int)length);
        await stream.ReadExactlyAsync(_payload.AsMemory(0, (int)length), cancellation);
        return ((FrameKind)_header[4], _payload.AsMemory(0, (int)length));
    }
}
