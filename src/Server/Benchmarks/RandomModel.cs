using System.Runtime.InteropServices;
using Serving.Glyphs.Embeddings;
using Serving.Inference.Checkpoints;

namespace Serving.Server.Benchmarks;

/// <summary>Weights of a shape in memory: bf16, random, small enough that activations stay finite. Every matrix has values of
/// its own, so that nothing is shared and a pass reads as much memory as that of a trained model.</summary>
internal static class RandomModel
{
    private const float Spread = 0.02f;

    public static TransformerWeights Of(BenchShape shape, ulong seed = 1)
    {
        var random = new SplitMix(seed);
        return new TransformerWeights
        {
            Table = new FrozenTable(shape.VocabularySize, shape.Width, Floats(random, (long)shape.VocabularySize * shape.Width)),
            TableSource = TableSource.Checkpoint,
            Blocks = [.. Enumerable.Range(0, shape.Layers).Select(layer => BlockOf(shape, layer, random))],
            FinalNorm = NormOf(shape),
            Head = LinearOf("lm_head", shape.VocabularySize, shape.Width, random),
            Norm = NormKind.Layer,
            RopePairing = RopePairing.Half,
            Heads = shape.Heads,
            ContextTokens = shape.ContextTokens,
        };
    }

    private static BlockWeights BlockOf(BenchShape shape, int layer, SplitMix random) => new()
    {
        AttentionNorm = NormOf(shape),
        Query = LinearOf($"{layer}.q", shape.Width, shape.Width, random),
        Key = LinearOf($"{layer}.k", shape.Width, shape.Width, random),
        Value = LinearOf($"{layer}.v", shape.Width, shape.Width, random),
        Output = LinearOf($"{layer}.o", shape.Width, shape.Width, random),
        MlpNorm = NormOf(shape),
        Up = LinearOf($"{layer}.up", shape.HiddenWidth, shape.Width, random),
        Down = LinearOf($"{layer}.down", shape.Width, shape.HiddenWidth, random),
    };

    private static NormWeights NormOf(BenchShape shape)
    {
        var ones = new float[shape.Width];
        ones.AsSpan().Fill(1);
        return new NormWeights(Tensor.InMemory("norm", ones, shape.Width), Tensor.InMemory("bias", new float[shape.Width], shape.Width));
    }

    // Any mantissa and sign with one of four exponents: what matters is that values are ordinary numbers.
    private static LinearWeights LinearOf(string name, int outputs, int inputs, SplitMix random)
    {
        var halves = new ushort[(long)outputs * inputs];
        foreach (ref ulong four in MemoryMarshal.Cast<ushort, ulong>(halves.AsSpan()))
            four = (random.Next() & 0x81FF_81FF_81FF_81FF) | 0x3A00_3A00_3A00_3A00;
        return new LinearWeights(Tensor.InMemory(name, DType.BF16, MemoryMarshal.AsBytes(halves.AsSpan()), outputs, inputs), null);
    }

    private static float[] Floats(SplitMix random, long count)
    {
        var values = new float[count];
        foreach (ref float value in values.AsSpan())
            value = Spread * (((random.Next() >> 40) / (float)(1 << 23)) - 1);
        return values;
    }

    // Random's seeded form takes ten times as long.
    private sealed class SplitMix(ulong seed)
    {
        private ulong _state = seed;

        public ulong Next()
        {
            ulong z = _state += 0x9E3779B97F4A7C15;
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            return z ^ (z >> 31);
        }
    }
}
