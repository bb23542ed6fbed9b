using Serving.Glyphs.Embeddings;
using Serving.Inference.Checkpoints;
using Serving.Inference.Tests.Cpu;

namespace Serving.Inference.Tests.Devices;

/// <summary>Random experts with a token whose vector is no number.</summary>
internal static class BrokenExperts
{
    public static TransformerWeights Create(int seed, int? brokenToken)
    {
        TransformerWeights weights = RandomModel.Create(DType.F32, seed);
        var table = new float[weights.Table.Elements];
        for (int row = 0; row < weights.Table.Rows; row++)
            weights.Table.CopyRow(row, table.AsSpan(row * weights.Table.Dimensions));
        if (brokenToken is { } token)
            table[token * weights.Table.Dimensions] = float.NaN;
        return weights with { Table = new FrozenTable(weights.Table.Rows, weights.Table.Dimensions, table) };
    }
}
