using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace Serving.Server.Peers;

/// <summary>Builds one frame after another in one buffer. Not thread-safe.</summary>
internal sealed class FrameWriter
{
    private readonly ArrayBufferWriter<byte> _buffer = new(4096);

    /// <summary>The frame so far; complete after <see cref="End"/>.</summary>
    public ReadOnlyMemory<byte> Frame => _buffer.WrittenMemory;

    public void Begin(FrameKind kind)
    {
        _buffer.ResetWrittenCount();
        UInt32(0);
        Byte((byte)kind);
    }

    public void Byte(byte value) => Take(1)[0] = value;

    public void UInt16(int value) => BinaryPrimitives.WriteUInt16LittleEndian(Take(2), checked((ushort)value));

    public void UInt32(long value) => BinaryPrimitives.WriteUInt32LittleEndian(Take(4), checked((uint)value));

    public void Single(float value) => BinaryPrimitives.WriteSingleLittleEndian(Take(4), value);

    public void Text(string value)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(value);
        UInt16(bytes.Length);
        bytes.CopyTo(Take(bytes.Length));
    }

    /// <summary>Room for bytes that the caller fills in.</summary>
    public Span<byte> Take(int bytes)
    {
        Span<byte> room = _buffer.GetSpan(bytes)[..bytes];
        _buffer.Advance(bytes);
        return room;
    }

    /// <summary>Notes the length.</summary>
    public ReadOnlyMemory<byte> End()
    {
        Span<byte> start = System.Runtime.InteropServices.MemoryMarshal.AsMemory(_buffer.WrittenMemory).Span;
        BinaryPrimitives.WriteUInt32LittleEndian(start, (uint)(_buffer.WrittenCount - FrameReader.HeaderBytes));
        return _buffer.WrittenMemory;
    }
}
