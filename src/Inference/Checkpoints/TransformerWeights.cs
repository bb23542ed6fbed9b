using Serving.Glyphs.Embeddings;

namespace Serving.Inference.Checkpoints;

/// <summary>
/// A model of the family, whatever its tensors were called: pre-norm blocks, rotary positions over the whole head, an
/// MLP of two matrices, a head. Holds tensors, not values: a backend reads them into its own layout when it is built.
/// </summary>
public sealed record TransformerWeights
{
    /// <summary>What marks it in a checkpoint of several experts, such as <c>experts.0</c>; else empty.</summary>
    public string Name { get; init; } = "";

    /// <summary>The frozen input table [vocabulary, width or a divisor of it].</summary>
    public required FrozenTable Table { get; init; }

    /// <summary>How the table's vectors fill the width, where they are narrower.</summary>
    public InputLift InputLift { get; init; }

    /// <summary>The tensor that <see cref="Table"/> was read from; null = it comes from elsewhere.</summary>
    public Tensor? TableTensor { get; init; }

    /// <summary>The map that <see cref="Table"/> was computed with; null = there is a table, or it is the digits of token ids.</summary>
    public TokenCodeTensors? TokenCode { get; init; }

    /// <summary>Where <see cref="Table"/> comes from.</summary>
    public required TableSource TableSource { get; init; }

    /// <summary>The blocks, first to last.</summary>
    public required IReadOnlyList<BlockWeights> Blocks { get; init; }

    /// <summary>After the last block; null = none.</summary>
    public required NormWeights? FinalNorm { get; init; }

    /// <summary>[vocabulary, width].</summary>
    public required LinearWeights Head { get; init; }

    /// <summary>The kind of every norm.</summary>
    public required NormKind Norm { get; init; }

    /// <summary>Added to the variance of every norm: above 0.</summary>
    public float NormEpsilon { get; init; } = 1e-5f;

    /// <summary>Between the two matrices of the MLP.</summary>
    public Activation Activation { get; init; }

    /// <summary>How rotary positions pair the elements of a head.</summary>
    public required RopePairing RopePairing { get; init; }

    /// <summary>Attention heads; <see cref="Width"/> is a multiple.</summary>
    public required int Heads { get; init; }

    /// <summary>The most positions of a sequence.</summary>
    public required int ContextTokens { get; init; }

    /// <summary>What had to be assumed, or where config.json and tensors disagree; one sentence each.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>Tokens.</summary>
    public int VocabularySize => Head.Outputs;

    /// <summary>Values an activation.</summary>
    public int Width => Head.Inputs;

    /// <summary>Values a head; even.</summary>
    public int HeadSize => Width / Heads;

    /// <summary>Values inside the MLP.</summary>
    public int HiddenWidth => Blocks[0].Up.Outputs;

    /// <summary>Whether its matrices are whole numbers with scales already; all of them are then.</summary>
    public bool IsQuantized => Head.Scales is not null;

    /// <summary>All tensors: matrices, their scales, biases, norms.</summary>
    public IEnumerable<Tensor> Tensors()
    {
        IEnumerable<LinearWeights> linears = Blocks
            .SelectMany(block => new[] { block.Query, block.Key, block.Value, block.Output, block.Up, block.Down }).Append(Head);
        IEnumerable<NormWeights?> norms = Blocks
            .SelectMany(block => new NormWeights?[] { block.AttentionNorm, block.MlpNorm }).Append(FinalNorm);
        return linears.SelectMany(linear => new[] { linear.Weight, linear.Scales, linear.Bias })
            .Concat(norms.SelectMany(norm => new[] { norm?.Weight, norm?.Bias })).OfType<Tensor>();
    }
}
