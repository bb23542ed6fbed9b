namespace Serving.Inference.Sampling;

/// <summary>How a token is picked from logits: penalties, temperature, min-p, then top-k, then top-p of what is left.</summary>
/// <param name="Temperature">0 = greedy; otherwise logits are divided by it. 0 to 2.</param>
/// <param name="TopP">Keep the smallest set of most likely tokens whose probability reaches this. (0, 1]; 1 = all.</param>
/// <param name="TopK">Keep this many most likely tokens; 0 = all.</param>
/// <param name="MinP">Drop tokens less likely than this share of the most likely one. [0, 1]; 0 = none.</param>
/// <param name="Seed">Same seed, same tokens, on every machine and beside any neighbours.</param>
public readonly record struct SamplingOptions(float Temperature, float TopP, int TopK, float MinP, ulong Seed)
{
    /// <summary>Always the most likely token; the lowest id among equals.</summary>
    public static SamplingOptions Greedy { get; } = new(0, 1, 0, 0, 0);

    /// <summary>Subtracted from the logit of every token generated so far. -2 to 2; 0 = off.</summary>
    public float PresencePenalty { get; init; }

    /// <summary>Subtracted from a token's logit once per time that it was generated. -2 to 2; 0 = off.</summary>
    public float FrequencyPenalty { get; init; }

    /// <summary>Divides the positive logits and multiplies the negative ones of tokens in prompt or answer.
    /// (0, 2]; 1 = off.</summary>
    public float RepetitionPenalty { get; init; } = 1;
}
