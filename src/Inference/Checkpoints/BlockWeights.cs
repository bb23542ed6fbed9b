namespace Serving.Inference.Checkpoints;

/// <summary>One transformer block: x += Output(attention(Norm(x))), then x += Down(gelu(Up(Norm(x)))).</summary>
public sealed record BlockWeights
{
    /// <summary>Before attention.</summary>
    public required NormWeights AttentionNorm { get; init; }

    /// <summary>[width, width].</summary>
    public required LinearWeights Query { get; init; }

    /// <summary>[width, width].</summary>
    public required LinearWeights Key { get; init; }

    /// <summary>[width, width].</summary>
    public required LinearWeights Value { get; init; }

    /// <summary>[width, width].</summary>
    public required LinearWeights Output { get; init; }

    /// <summary>Before the MLP.</summary>
    public required NormWeights MlpNorm { get; init; }

    /// <summary>[hidden, width].</summary>
    public required LinearWeights Up { get; init; }

    /// <summary>[width, hidden].</summary>
    public required LinearWeights Down { get; init; }
}
