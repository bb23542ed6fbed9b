namespace Serving.Inference.Sampling;

/// <summary>How a token is picked from logits.</summary>
/// <param name="Temperature">0 = greedy; otherwise logits are divided by it. 0 to 2.</param>
/// <param name="TopP">Keep the smallest set of most likely tokens whose probability reaches this. (0, 1]; 1 = all.</param>
/// <param name="TopK">Keep this many most likely tokens; 0 = all.</param>
/// <param name="MinP">Drop tokens less likely than this share of the most likely one. [0, 1]; 0 = none.</param>
/// <param name="Seed">Same seed, same tokens, on every machine and beside any neighbours.</param>
public readonly record struct SamplingOptions(float Temperature, float TopP, int TopK, float MinP, ulong Seed)
{
    /// <summary>Always the most likely token; the lowest id among equals.</summary>
    public static SamplingOptions Greedy { get; } = new(0, 1, 0, 0, 0);
}
