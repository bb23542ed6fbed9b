using System.Runtime.InteropServices;

namespace Serving.Inference.Scheduling;

/// <summary>A prompt and what was generated after it, and how much of both stands in K/V blocks.</summary>
/// <remarks>Bookkeeping only; owned by the engine loop. The <see cref="Scheduler"/> alone writes state, position and blocks.
/// </remarks>
internal class Sequence
{
    private readonly List<int> _tokens;

    /// <summary>A new sequence of a request's prompt.</summary>
    public Sequence(GenerationRequest request, int contextTokens)
    {
        Request = request;
        PromptTokens = request.PromptTokens.Length;
        _tokens = new List<int>((int)Math.Min(PromptTokens + (long)request.MaxTokens, Math.Max(contextTokens, PromptTokens)));
        _tokens.AddRange(request.PromptTokens);
        Node = new LinkedListNode<Sequence>(this);
    }

    /// <summary>What was asked for.</summary>
    public GenerationRequest Request { get; }

    /// <summary>Prompt and generated tokens.</summary>
    public ReadOnlySpan<int> Tokens => CollectionsMarshal.AsSpan(_tokens);

    /// <summary>Tokens of the prompt.</summary>
    public int PromptTokens { get; }

    /// <summary>Tokens generated.</summary>
    public int GeneratedTokens => _tokens.Count - PromptTokens;

    /// <summary>Whether the prompt's own log-probabilities are wanted.</summary>
    public bool Scores => Request.PromptLogprobs is not null;

    /// <summary>Where the sum of the prompt's final hidden states goes; null unless they are wanted.</summary>
    public double[]? HiddenSum { get; init; }

    /// <summary>How many tokens must be computed before the next one can be picked; for a prompt that is only scored, all
    /// but its last; for one that is pooled, all.</summary>
    public int Target => Request.MaxTokens > 0 || HiddenSum is not null ? _tokens.Count : Scores ? PromptTokens - 1 : 0;

    /// <summary>The first position whose logits are still wanted: the first unscored one, or else the last before
    /// <see cref="Target"/>; none of a prompt that is pooled.</summary>
    public int FirstRow => HiddenSum is not null ? Target : Scores && Scored < PromptTokens - 1 ? Scored : Target - 1;

    /// <summary>Leading tokens that need not be computed if they are cached.</summary>
    public int ReusableTokens => HiddenSum is not null ? 0 : FirstRow;

    /// <summary>Leading tokens whose K/V stands in <see cref="Blocks"/>.</summary>
    public int Computed { get; set; }

    /// <summary>Leading prompt positions whose logits were seen, so that the tokens after them have scores. Survives a
    /// preemption.</summary>
    public int Scored { get; set; }

    /// <summary>Prompt tokens that came from the prefix cache when the sequence first ran; null before.</summary>
    public int? CachedTokens { get; set; }

    /// <summary>The block table: position p lives in <c>Blocks[p / BlockTokens]</c>.</summary>
    public List<int> Blocks { get; } = [];

    /// <summary>Leading blocks that are full and known to the pool; means nothing unless running.</summary>
    public int RegisteredBlocks { get; set; }

    /// <summary>The pool's link of the last registered block; means nothing unless running.</summary>
    public ulong Link { get; set; }

    /// <summary>Tokens guessed ahead for the next step, behind the last token.</summary>
    public List<int> Draft { get; } = [];

    /// <summary>How many tokens may be guessed now.</summary>
    public int DraftRoom { get; set; }

    /// <summary>Tokens guessed so far, and how many of them were right.</summary>
    public (int Drafted, int Accepted) Guesses { get; set; }

    /// <summary>Where it is in its life.</summary>
    public SequenceState State { get; set; }

    /// <summary>Its turn among those that wait: see <see cref="FairOrder"/>.</summary>
    public long Turn { get; set; }

    /// <summary>Whether nothing more is to be picked for now: whoever listens is too far behind.</summary>
    public virtual bool IsHeldUp => false;

    /// <summary>Its place in a queue; a node can be in one list only.</summary>
    public LinkedListNode<Sequence> Node { get; }

    /// <summary>Appends a generated token.</summary>
    public void Append(int token) => _tokens.Add(token);
}
