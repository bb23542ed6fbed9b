namespace Serving.Inference.Torch;

/// <summary>Chunks of a batch that attend in one call: as many queries each, about as much to look back on.</summary>
/// <param name="Start">The first of their rows; they stand one behind the other.</param>
/// <param name="Chunks">How many chunks.</param>
/// <param name="Queries">Tokens of each.</param>
/// <param name="Asked">How many of the last of these are asked for something, and so go through the last block.</param>
/// <param name="Blocks">K/V blocks that each looks back on, the longest one's number; 0 = they start at position 0 and look at
/// themselves alone.</param>
internal readonly record struct AttentionGroup(int Start, int Chunks, int Queries, int Asked, int Blocks)
{
    /// <summary>Rows of all chunks.</summary>
    public int Rows => Chunks * Queries;

    /// <summary>Keys of each chunk.</summary>
    public int Keys => Blocks == 0 ? Queries : Blocks * DeviceKv.BlockTokens;
}
