using Serving.Glyphs.Embeddings;
using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu;

namespace Serving.Inference.Tests.Cpu;

public sealed class InputLiftTests
{
    private static readonly int[] Text = [5, 200, 7, 7, 31, 0, 255];

    // A narrow table that is lifted is the wide table of the lifted vectors.
    [Theory]
    [InlineData(InputLift.Interleaved)]
    [InlineData(InputLift.Tiled)]
    public void Forward_NarrowTable_AnswersAsTheWideTableOfItsLiftedVectors(InputLift lift)
    {
        using LoadedModel model = GoldenCheckpoint.Load("narrow");
        TransformerWeights narrow = model.Weights with { InputLift = lift };
        (int width, int values) = (narrow.Width, narrow.Table.Dimensions);
        var wide = new float[narrow.VocabularySize * width];
        for (int i = 0; i < wide.Length; i++)
            wide[i] = narrow.Table.Row(i / width)[lift == InputLift.Tiled ? i % width % values : i % width / (width / values)];

        float[][] expected = Logits(narrow with { Table = new FrozenTable(narrow.VocabularySize, width, wide) });

        Assert.Equal(expected, Logits(narrow));
        Assert.NotEqual(expected, Logits(narrow with { InputLift = lift == InputLift.Tiled ? InputLift.Interleaved : InputLift.Tiled }));
    }

    private static float[][] Logits(TransformerWeights weights)
    {
        using var backend = new CpuBackend(weights, new CpuOptions { KvBlocks = 4 });
        return new Sequence(backend, [0, 1]).Run(Text, 3);
    }
}
