using Serving.Inference.Sampling;
using Serving.Inference.Scheduling;

namespace Serving.Inference.Speculation;

/// <summary>
/// Guesses tokens ahead of the sequences that generate, before a step is planned. The step computes the guesses behind the last token
/// of each; the loop picks from every row as if there had been no guess and keeps going while picks and guesses agree. A pick depends on
/// its row, the options and its place alone, and a row on its tokens alone, so the outcome is the same bits.
/// </summary>
/// <remarks>Owned by the engine loop.</remarks>
internal sealed class Speculator
{
    private readonly SpeculationOptions _options;
    private readonly Scheduler _scheduler;
    private readonly IDraftingBackend? _backend;
    private readonly Sampler _sampler;
    private readonly ForwardBatch _batch = new();
    private readonly List<Sequence> _sequences = [];
    private readonly float[] _logits; // [rows, vocabulary]
    private readonly int _vocabulary;
    private readonly int _contextTokens;
    private readonly int _rows;

    /// <summary>A speculator over a backend.</summary>
    /// <param name="options">Who guesses, and how far.</param>
    /// <param name="scheduler">Whose sequences.</param>
    /// <param name="backend">Must be an <see cref="IDraftingBackend"/> to guess with its first blocks.</param>
    /// <param name="sampler">Picks guesses as tokens are picked.</param>
    /// <param name="rows">The most rows of logits in a pass.</param>
    /// <param name="contextTokens">The longest sequence.</param>
    public Speculator(SpeculationOptions options, Scheduler scheduler, IBackend backend, Sampler sampler, int rows, int contextTokens)
    {
        (_options, _scheduler, _sampler, _rows, _contextTokens) = (options, scheduler, sampler, rows, contextTokens);
        _vocabulary = backend.Shape.VocabularySize;
        _backend = options.Source == DraftSource.Lookup ? null : backend is IDraftingBackend { CanDraft: true } drafting ? drafting
            : throw new ArgumentException("This model has no shallow part to draft with.", nameof(backend));
        _logits = _backend is null ? [] : GC.AllocateUninitializedArray<float>(checked(rows * _vocabulary));
    }

    /// <summary>The sequences of the current pass: those that a fault of it concerns.</summary>
    public IReadOnlyList<Sequence> Sequences => _sequences;

    /// <summary>Guesses for every sequence whose next token comes from its last one, as far as blocks and rows suffice.</summary>
    /// <param name="guesses">Whether to guess in this step at all.</param>
    public void Draft(bool guesses = true)
    {
        _sequences.Clear();
        _scheduler.CollectGenerating(_sequences);
        if (!guesses)
        {
            foreach (Sequence sequence in _sequences)
                sequence.Draft.Clear();
            _sequences.Clear();
        }
        if (_sequences.Count == 0)
            return;
        int most = Math.Min(_options.Tokens, (_rows / _sequences.Count) - 1);
        foreach (Sequence sequence in _sequences)
        {
            sequence.Draft.Clear();
            sequence.DraftRoom = _scheduler.Reserve(sequence, Math.Min(most, Room(sequence)));
            if (_backend is null)
                sequence.Draft.AddRange(PromptLookup.Guess(sequence.Tokens, sequence.DraftRoom));
        }
        _sequences.RemoveAll(sequence => sequence.DraftRoom == 0);
        if (_backend is not null)
            DraftByDepth(_backend);
    }

    // Nobody guesses past the end of an answer or of the context.
    private int Room(Sequence sequence) =>
        Math.Min(sequence.Request.MaxTokens - sequence.GeneratedTokens, _contextTokens - sequence.Tokens.Length) - 1;

    // One token a pass for all sequences together. The last guess passes through the first blocks, too, so that the verifying pass
    // finds all its rows at the same depth.
    private void DraftByDepth(IDraftingBackend backend)
    {
        for (int step = 0; _sequences.Count > 0; step++)
        {
            _batch.Clear();
            foreach (Sequence sequence in _sequences)
            {
                int token = step == 0 ? sequence.Tokens[^1] : sequence.Draft[step - 1];
                _batch.Add([token], sequence.Computed + step, sequence.Blocks, logitRows: step < sequence.DraftRoom ? 1 : 0);
            }
            backend.Draft(_batch, _logits.AsSpan(0, _batch.LogitRows * _vocabulary));
            int row = 0;
            foreach (Sequence sequence in _sequences)
            {
                if (step < sequence.DraftRoom)
                    sequence.Draft.Add(Pick(_logits.AsSpan(row++ * _vocabulary, _vocabulary), sequence, step));
            }
            _sequences.RemoveAll(sequence => step == sequence.DraftRoom);
        }
    }

    private int Pick(ReadOnlySpan<float> row, Sequence sequence, int step) =>
        float.IsFinite(LogitMath.Max(row)) ? _sampler.Sample(row, sequence.Request.Sampling, sequence.GeneratedTokens + step) : 0;
}
