using Serving.Inference.Ensembles;

namespace Serving.Inference;

/// <summary>
/// A ragged batch: chunks of several sequences, laid end to end. Filled by the scheduler, read by a backend, reused for
/// every step so that a decode step allocates nothing.
/// </summary>
public sealed class ForwardBatch
{
    private readonly List<Chunk> _chunks = [];
    private readonly List<int> _tokens = [];

    /// <summary>A sign of life within a forward pass: a backend calls it from the pass's own thread, with every block of the model or
    /// while it waits, so that a long pass can be told from one that hangs. Null = nobody asks.</summary>
    public Action? Beat { get; set; }

    /// <summary>All tokens, chunk after chunk.</summary>
    public ReadOnlySpan<int> Tokens => System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_tokens);

    /// <summary>The chunks, in order.</summary>
    public ReadOnlySpan<Chunk> Chunks => System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_chunks);

    /// <summary>How many rows of logits the whole batch asks for.</summary>
    public int LogitRows { get; private set; }

    /// <summary>Empties the batch and keeps its memory.</summary>
    public void Clear()
    {
        _chunks.Clear();
        _tokens.Clear();
        LogitRows = 0;
    }

    /// <summary>Appends a chunk of one sequence.</summary>
    /// <param name="tokens">The chunk's tokens, at least one.</param>
    /// <param name="position">The position of its first token; all before it are already in K/V.</param>
    /// <param name="blocks">The sequence's block table: position p lives in <c>blocks[p / BlockTokens]</c>. Borrowed until
    /// the forward pass returns.</param>
    /// <param name="logitRows">How many of the chunk's last tokens ask for logits; 0 for a prefill chunk that is not the last.</param>
    /// <param name="hiddenSum">[<see cref="ModelShape.HiddenWidth"/>]: takes the sum of the final hidden states of all positions so
    /// far; a chunk at position 0 sets it, later ones add to it. Null = nobody asks.</param>
    /// <param name="blend">How an ensemble averages these rows; null = by its own weights. Other backends have no use for it.</param>
    /// <param name="drafted">Whether the chunk's tokens went through the first blocks of an
    /// <see cref="Speculation.IDraftingBackend"/> since the last forward pass.</param>
    public void Add(
        ReadOnlySpan<int> tokens, int position, List<int> blocks, int logitRows, double[]? hiddenSum = null, Blend? blend = null,
        bool drafted = false)
    {
        ArgumentOutOfRangeException.ThrowIfZero(tokens.Length);
        ArgumentOutOfRangeException.ThrowIfNegative(position);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)logitRows, (uint)tokens.Length);
        _chunks.Add(new Chunk(_tokens.Count, tokens.Length, position, blocks, logitRows, hiddenSum, blend, drafted));
        _tokens.AddRange(tokens);
        LogitRows += logitRows;
    }

    /// <summary>One sequence's part of a batch.</summary>
    /// <param name="Start">Index of its first token in <see cref="Tokens"/>.</param>
    /// <param name="Length">Its tokens.</param>
    /// <param name="Position">The position of its first token in the sequence.</param>
    /// <param name="Blocks">The sequence's block table.</param>
    /// <param name="LogitRows">How many of its last tokens ask for logits.</param>
    /// <param name="HiddenSum">Takes the sum of final hidden states; null = nobody asks.</param>
    /// <param name="Blend">How an ensemble averages its rows; null = by its own weights.</param>
    /// <param name="Drafted">Whether the first blocks are done.</param>
    public readonly record struct Chunk(
        int Start, int Length, int Position, List<int> Blocks, int LogitRows, double[]? HiddenSum = null, Blend? Blend = null,
        bool Drafted = false);
}
