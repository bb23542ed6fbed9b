using System.Runtime.InteropServices;
using Serving.Glyphs.Embeddings;
using Serving.Inference.Checkpoints;

namespace Serving.Inference.Tests.Cpu;

/// <summary>Random models of sizes that fit no vector and no panel.</summary>
internal sealed class RandomModel(int seed, DType type)
{
    private readonly Random _random = new(seed);

    /// <summary>A model; the defaults are awkward on purpose.</summary>
    public static TransformerWeights Create(
        DType type,
        int seed = 1,
        int heads = 3,
        int headSize = 24,
        int hidden = 1100,
        int vocabulary = 333,
        int layers = 2,
        int context = 160)
    {
        var random = new RandomModel(seed, type);
        int width = heads * headSize;
        return new TransformerWeights
        {
            Table = new FrozenTable(vocabulary, 8, random.Values(vocabulary * 8, 1)),
            TableSource = TableSource.Checkpoint,
            Blocks = [.. Enumerable.Range(0, layers).Select(_ => random.Block(width, hidden))],
            FinalNorm = random.Norm(width),
            Head = random.Linear(vocabulary, width),
            Norm = NormKind.Layer,
            RopePairing = RopePairing.Half,
            Heads = heads,
            ContextTokens = context,
        };
    }

    /// <summary>Values from -scale to scale.</summary>
    public float[] Values(int count, float scale)
    {
        var values = new float[count];
        for (int i = 0; i < count; i++)
            values[i] = scale * ((2 * _random.NextSingle()) - 1);
        return values;
    }

    private BlockWeights Block(int width, int hidden) => new()
    {
        AttentionNorm = Norm(width),
        Query = Linear(width, width),
        Key = Linear(width, width),
        Value = Linear(width, width),
        Output = Linear(width, width),
        MlpNorm = Norm(width),
        Up = Linear(hidden, width),
        Down = Linear(width, hidden),
    };

    private NormWeights Norm(int width) => new(
        Tensor.InMemory("norm.weight", Values(width, 1.5f), width), Tensor.InMemory("norm.bias", Values(width, 0.1f), width));

    private LinearWeights Linear(int outputs, int inputs)
    {
        float[] values = Values(outputs * inputs, 2 / MathF.Sqrt(inputs));
        Tensor weight = type == DType.F32
            ? Tensor.InMemory("weight", values, outputs, inputs)
            : Tensor.InMemory("weight", DType.BF16, MemoryMarshal.AsBytes<ushort>([.. values.Select(Upper)]), outputs, inputs);
        return new LinearWeights(weight, Tensor.InMemory("bias", Values(outputs, 0.3f), outputs));
    }

    private static ushort Upper(float value) => (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16);
}
