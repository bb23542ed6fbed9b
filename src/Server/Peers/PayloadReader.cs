using System.Buffers.Binary;
using System.Text;

namespace Serving.Server.Peers;

/// <summary>Reads the fields of a payload; whatever is missing is an <see cref="InvalidDataException"/>.</summary>
internal ref struct PayloadReader(ReadOnlySpan<byte> payload)
{
    private ReadOnlySpan<byte> _rest = payload;

    public readonly int Remaining => _rest.Length;

    public byte Byte() => Take(1)[0];

    public int UInt16() => BinaryPrimitives.ReadUInt16LittleEndian(Take(2));

    /// <summary>A number that must fit a signed one.</summary>
    public int Count()
    {
        uint value = BinaryPrimitives.ReadUInt32LittleEndian(Take(4));
        return value <= int.MaxValue ? (int)value : throw new InvalidDataException($"{value} is too large a number.");
    }

    public float Single() => BinaryPrimitives.ReadSingleLittleEndian(Take(4));

    public string Text() => Encoding.UTF8.GetString(Take(UInt16()));

    public ReadOnlySpan<byte> Take(long bytes)
    {
        if (bytes > _rest.Length)
            throw new InvalidDataException($"A frame ends {bytes - _rest.Length} bytes too early.");
        ReadOnlySpan<byte> taken = _rest[..(int)bytes];
        _rest = _rest[(int)bytes..];
        return taken;
    }
}
