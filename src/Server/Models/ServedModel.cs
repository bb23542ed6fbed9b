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
        : this(id, newBackend(), newBackend, tokenizer, options)
    {
    }

    private ServedModel(string id, IBackend backend, Func<IBackend> newBackend, Tokenizer tokenizer, EngineOptions options)
    {
        (Id, NewBackend, Tokenizer, EndOfTextIds) = (id, newBackend, tokenizer, options.EndOfTextIds);
        _backend = backend;
        Engine = new Engine(_backend, tokenizer, options);
    }

    private ServedModel(ServedModel owner, string id, Ensemble? ensemble)
    {
        (Id, Ensemble, _isBorrowed) = (id, ensemble, true);
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

    /// <summary>Models that are earlier stages of this one, by their number of blocks.</summary>
    public IReadOnlyDictionary<int, string> Stages { get; private init; } = new Dictionary<int, string>();

    public required ModelFacts Facts { get; init; }

    /// <summary>Changes with the weights, the tokenizer or the arithmetic.</summary>
    public required string Fingerprint { get; init; }

    /// <summary>Whether the engine's loop gives signs of life.</summary>
    public bool IsAlive => TimeProvider.System.GetElapsedTime(Engine.Statistics.LastBeatTimestamp) < LongestSilence;

    /// <summary>The same engine, answering under the name and by the weights of an ensemble of its members. It lives no longer than
    /// this object, and disposing it does nothing.</summary>
    public ServedModel As(Ensemble ensemble, string fingerprint) =>
        new(this, ensemble.Id, ensemble) { Facts = Facts, Fingerprint = fingerprint };

    /// <summary>The same engine, answering under another name. It lives no longer than this object, and disposing it does nothing.
    /// </summary>
    public ServedModel Named(string id) => id == Id ? this : new(this, id, null) { Facts = Facts, Fingerprint = Fingerprint };

    /// <summary>Reads a model's files and starts its engine.</summary>
    /// <exception cref="CheckpointException">A file is missing, malformed or not of this family.</exception>
    /// <exception cref="TokenizerFormatException">The tokenizer is.</exception>
    public static ServedModel Load(ModelsRoot root, ModelFolder folder, EngineOptions options)
    {
        using LoadedModel model = LoadedModel.Load(root, folder);
        Tokenizer tokenizer = Tokenizer.Load(model.TokenizerPath);
        CheckVocabulary(model, tokenizer);
        // The backend of the engine holds the weights from here on.
        using var weights = new CpuModel(model.Weights);
        GrownFamily family = GrownFamily.Read(folder.Path);
        using CpuModel? stage = LoadStages(root, model, family);
        options = options with { EndOfTextIds = EndOfText(model.Config, tokenizer), Speculation = family.Speculation };
        IBackend backend = stage is null ? new CpuBackend(weights) : new CpuBackend(weights, stage);
        return new ServedModel(folder.Id, backend, () => new CpuBackend(weights), tokenizer, options)
        {
            Stages = family.Stages,
            Facts = ModelFacts.Of(model),
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

    // Every declared stage is checked, because its answers are given for this model's; the one that guesses ahead is kept.
    private static CpuModel? LoadStages(ModelsRoot root, LoadedModel model, GrownFamily family)
    {
        CpuModel? drafting = null;
        foreach ((int depth, string name) in family.Stages)
        {
            ModelFolder folder = root.Models.FirstOrDefault(other => other.Id == name) ?? throw new CheckpointException(
                Path.Combine(model.Path, "serving.json"), $"stages, '{depth}'", "the name of a model beside this one", $"'{name}'");
            using LoadedModel stage = LoadedModel.Load(root, folder);
            GrownFamily.Check(model, stage, depth);
            if (depth == family.DraftDepth)
                drafting = new CpuModel(stage.Weights);
        }
        return drafting;
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

    private static int[] EndOfText(ModelConfig config, Tokenizer tokenizer)
    {
        IEnumerable<string> names = config.EndToken is { } named ? [named] : UsualEndTokens;
        return [.. names.Select(tokenizer.FindId).OfType<int>()];
    }
}
