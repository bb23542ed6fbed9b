using System.Runtime.InteropServices;
using Serving.Glyphs.Embeddings;

namespace Serving.Glyphs.Tests.Embeddings;

public sealed class FrozenTableTests
{
    private const int Rows = 700, Dimensions = 37;

    private static readonly ushort[] Halves = [.. RandomHalves()];
    private static readonly FrozenTable Narrow = FrozenTable.OfBFloat16(Rows, Dimensions, Halves);
    private static readonly FrozenTable Wide = new(Rows, Dimensions, [.. Halves.Select(half => BitConverter.UInt32BitsToSingle((uint)half << 16))]);

    [Fact]
    public void BFloat16_OfTheSameValues_ReadsAsFloat32()
    {
        var scratch = new float[Dimensions];
        for (int id = 0; id < Rows; id++)
        {
            Assert.Equal(Wide.Row(id), Narrow.Row(id));
            Assert.Equal(Wide.Row(id), Narrow.Row(id, scratch));
            Assert.Equal(Wide.Norm(id), Narrow.Norm(id));
        }

        Assert.Equal(Wide.Fingerprint, Narrow.Fingerprint);
        Assert.Equal(Wide.Bytes, 2 * Narrow.Bytes);
    }

    [Fact]
    public void WriteFloats_EitherPrecision_WritesTheSameBytes()
    {
        using MemoryStream wide = new(), narrow = new();
        Wide.WriteFloats(wide);
        Narrow.WriteFloats(narrow);
        Assert.Equal(wide.ToArray(), narrow.ToArray());
        Assert.Equal(MemoryMarshal.AsBytes(Wide.Row(Rows - 1)), wide.ToArray().AsSpan()[^(4 * Dimensions)..]);
    }

    [Fact]
    public void HasBitsOf_AnotherValueOrPrecision_IsFalse()
    {
        ushort[] other = [.. Halves];
        Assert.True(Narrow.HasBitsOf(FrozenTable.OfBFloat16(Rows, Dimensions, other)));
        other = [.. Halves];
        other[^1] ^= 1;
        Assert.False(Narrow.HasBitsOf(FrozenTable.OfBFloat16(Rows, Dimensions, other)));
        Assert.False(Narrow.HasBitsOf(Wide));
    }

    [Fact]
    public void Nearest_OfBFloat16_AreThoseOfFloat32() =>
        Assert.Equal(new NearestRows(Wide).Of([0, 5, Rows - 1], 9), new NearestRows(Narrow).Of([0, 5, Rows - 1], 9));

    private static IEnumerable<ushort> RandomHalves()
    {
        var random = new Random(3);
        for (int i = 0; i < Rows * Dimensions; i++)
            yield return (ushort)(BitConverter.SingleToUInt32Bits((float)(random.NextDouble() - 0.5)) >> 16);
    }
}
