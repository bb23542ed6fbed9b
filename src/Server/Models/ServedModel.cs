using Serving.Glyphs.Embeddings;
using Serving.Glyphs.Tokens;
using Serving.Inference;
using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu;
using Serving.Inference.Scheduling;
using Serving.Server.Ensembles;

namespace Serving.Server.Models;

/// <summary>A model that answers: its tokenizer, its engine and what is known of it. Thread-safe.</summary>
internal sealed class ServedModel : IAsyncDisposable
{
    // An idle loop beats once a second, a busy one before each forward pass.
    private static readonly TimeSpan LongestSilence = TimeSpan.FromSeconds(30);
    private static readonly string[] UsualEndTokens = ["</s>", "<|endoftext|>"];

    private readonly IBackend _backend;
    private readonly bool _isBorrowed; // another object owns engine and backend

    /// <summary>Starts an engine.</summary>
    /// <param name="id">The model's id.</param>
    /// <param name="newBackend">Makes its arithmetic: called here, and for every ensemble that it is a member of.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="options">The engine's budgets.</param>
    public ServedModel(string id, Func<IBackend> newBackend, Tokenizer tokenizer, EngineOptions options)
    {
        (Id, NewBackend, Tokenizer, EndOfTextIds) = (id, newBackend, tokenizer, options.EndOfTextIds);
        _backend = newBackend();
        Engine = new Engine(_backend, tokenizer, options);
    }

    private ServedModel(ServedModel owner, Ensemble ensemble)
    {
        (Id, Ensemble, _isBorrowed) = (ensemble.Id, ensemble, true);
        (_backend, Engine, NewBackend, Tokenizer, EndOfTextIds) =
            (owner._backend, owner.Engine, owner.NewBackend, owner.Tokenizer, owner.EndOfTextIds);
    }

    public string Id { get; }

    /// <summary>The ensemble that it answers for, with the weights that it answers by; null for a single model.</summary>
    public Ensemble? Ensemble { get; }

    public Tokenizer Tokenizer { get; }

    public Engine Engine { get; }

    /// <summary>Makes another backend over the same weights, with K/V of its own; the caller disposes it.</summary>
    public Func<IBackend> NewBackend { get; }

    /// <summary>Tokens that end a text.</summary>
    public IReadOnlyList<int> EndOfTextIds { get; }

    /// <summary>Ids below this are tokens.</summary>
    public int VocabularySize => _backend.Shape.VocabularySize;

    /// <summary>The most tokens of prompt and answer together.</summary>
    public int ContextTokens => Engine.ContextTokens;

    public required ModelFacts Facts { get; init; }

    /// <summary>Its input vectors, computed where it has no table; null for an ensemble, whose members read theirs.</summary>
    public FrozenTable? Table { get; init; }

    /// <summary>What its input table is; looked at when first asked, which takes up to a second.</summary>
    public Lazy<TableOrigin> TableOrigin { get; init; } = new(Glyphs.Embeddings.TableOrigin.None);

    /// <summary>Changes with the weights, the tokenizer or the arithmetic.</summary>
    public required string Fingerprint { get; init; }

    /// <summary>Whether the engine's loop gives signs of life.</summary>
    public bool IsAlive => TimeProvider.System.GetElapsedTime(Engine.Statistics.LastBeatTimestamp) < LongestSilence;

    /// <summary>The same engine, answering under the name and by the weights of an ensemble of its members. It lives no longer than
    /// this object, and disposing it does nothing.</summary>
    public ServedModel As(Ensemble ensemble, string fingerprint) => new(this, ensemble) { Facts = Facts, Fingerprint = fingerprint };

    /// <summary>Reads a model's files and starts its engine.</summary>
    /// <exception cref="CheckpointException">A file is missing, malformed or not of this family.</exception>
    /// <exception cref="TokenizerFormatException">The tokenizer is.</exception>
    public static ServedModel Load(ModelsRoot root, ModelFolder folder, EngineOptions options)
    {
        using LoadedModel model = LoadedModel.Load(root, folder);
        // Beside the packing of weights, which waits for memory much of the time.
        Task<Tokenizer> reading = Task.Run(() => Tokenizer.Load(model.TokenizerPath));
        Task<string> naming = Task.Run(() => model.Table.Fingerprint);
        // The backend of the engine holds the weights from here on.
        using var weights = new CpuExperts(model);
        Tokenizer tokenizer = reading.GetAwaiter().GetResult();
        _ = naming.GetAwaiter().GetResult();
        CheckVocabulary(model, tokenizer);
        return new ServedModel(
            folder.Id, () => weights.NewBackend(), tokenizer, options with { EndOfTextIds = EndOfText(model.Config, tokenizer) })
        {
            Facts = ModelFacts.Of(model, weights),
            Table = model.Table,
            TableOrigin = OriginOf(model.Weights, tokenizer),
            Fingerprint = SystemFingerprint.Of(model, tokenizer.Fingerprint, CpuBackend.Instructions),
        };
    }

    /// <summary>Ends the engine, then frees its memory.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_isBorrowed)
            return;
        await Engine.DisposeAsync();
        _backend.Dispose();
    }

    // A token without a row of the table would be a fault of every request that holds it.
    private static void CheckVocabulary(LoadedModel model, Tokenizer tokenizer)
    {
        if (tokenizer.VocabularySize > model.Weights.VocabularySize)
        {
            throw new CheckpointException(model.TokenizerPath, "vocabulary", $"at most the model's {model.Weights.VocabularySize} tokens",
                $"{tokenizer.VocabularySize}", "Use the tokenizer that the model was trained with.");
        }
    }

    private static Lazy<TableOrigin> OriginOf(TransformerWeights weights, Tokenizer tokenizer)
    {
        FrozenTable table = weights.Table;
        return weights.TableSource == TableSource.TokenBits
            ? new(Glyphs.Embeddings.TableOrigin.None)
            : new(() => TableRecognition.Of(table, tokenizer.Spellings()));
    }

    private static int[] EndOfText(ModelConfig config, Tokenizer tokenizer)
    {
        IEnumerable<string> names = config.EndToken is { } named ? [named] : UsualEndTokens;
        return [.. names.Select(tokenizer.FindId).OfType<int>()];
    }
}
