using Serving.Glyphs.Embeddings;
using Serving.Glyphs.Tokens;
using Serving.Inference;
using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu;
using Serving.Inference.Devices;
using Serving.Inference.Scheduling;
using Serving.Inference.Speculation;
using Serving.Server.Chat;
using Serving.Server.Ensembles;
using Serving.Server.Health;

namespace Serving.Server.Models;

/// <summary>A model that answers: its tokenizer, its engine and what is known of it. Thread-safe.</summary>
internal sealed class ServedModel : IAsyncDisposable
{
    // An idle loop beats once a second, a busy one with every block of the model that it computes.
    private static readonly TimeSpan LongestSilence = TimeSpan.FromSeconds(4);
    private static readonly string[] UsualEndTokens = ["</s>", "<|endoftext|>"];

    private readonly IBackend _backend;
    private readonly bool _isBorrowed; // another object owns engine and backend

    /// <summary>Starts an engine.</summary>
    /// <param name="id">The model's id.</param>
    /// <param name="newBackend">Makes its arithmetic: called here, and for every ensemble that it is a member of.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="options">The engine's budgets.</param>
    /// <param name="time">The engine's clock; null = the system's.</param>
    public ServedModel(string id, Func<IBackend> newBackend, Tokenizer tokenizer, EngineOptions options, TimeProvider? time = null)
        : this(id, newBackend(), newBackend, tokenizer, options, time)
    {
    }

    private ServedModel(
        string id, IBackend backend, Func<IBackend> newBackend, Tokenizer tokenizer, EngineOptions options, TimeProvider? time = null)
    {
        (Id, NewBackend, Tokenizer, EndOfTextIds) = (id, newBackend, tokenizer, options.EndOfTextIds);
        (_backend, Users) = (backend, new UserCount());
        Engine = new Engine(_backend, tokenizer, options, time);
    }

    private ServedModel(ServedModel owner, string id, Ensemble? ensemble)
    {
        (Id, Ensemble, _isBorrowed) = (id, ensemble, true);
        (_backend, Engine, NewBackend, Tokenizer, EndOfTextIds) =
            (owner._backend, owner.Engine, owner.NewBackend, owner.Tokenizer, owner.EndOfTextIds);
        Users = owner.Users;
    }

    public string Id { get; }

    /// <summary>The ensemble that it answers for, with the weights that it answers by; null for a single model.</summary>
    public Ensemble? Ensemble { get; }

    /// <summary>Its name in metrics: one of a closed set.</summary>
    public string Label { get => field ?? Id; init; }

    /// <summary>The requests that use it.</summary>
    public UserCount Users { get; }

    public Tokenizer Tokenizer { get; }

    public Engine Engine { get; }

    /// <summary>Makes another backend over the same weights, with K/V of its own; the caller disposes it.</summary>
    public Func<IBackend> NewBackend { get; }

    /// <summary>Tokens that end a text.</summary>
    public IReadOnlyList<int> EndOfTextIds { get; }

    /// <summary>Ids below this are tokens.</summary>
    public int VocabularySize => _backend.Shape.VocabularySize;

    /// <summary>Its K/V memory.</summary>
    public KvCapacity Kv => _backend.Kv;

    /// <summary>The most tokens of prompt and answer together.</summary>
    public int ContextTokens => Engine.ContextTokens;

    /// <summary>Models that are earlier stages of this one, by their number of blocks.</summary>
    public IReadOnlyDictionary<int, string> Stages { get; private init; } = new Dictionary<int, string>();

    /// <summary>The control tokens around its texts.</summary>
    public TextMarks Marks { get; init; } = new(null, null, null, null);

    /// <summary>Its own chat template; null when chat goes by the plain one.</summary>
    public ChatTemplate? ChatTemplate { get; init; }

    /// <summary>Why its own chat template is not used; null when it is, or when there is none.</summary>
    public string? ChatTemplateFault { get; init; }

    /// <summary>The frozen vectors that it reads tokens as; null when there is no one table, as in some ensembles.</summary>
    public FrozenTable? Table { get; init; }

    /// <summary>Whether its final hidden states can be asked for; an ensemble has none.</summary>
    public bool HasHiddenStates => HiddenWidth > 0;

    /// <summary>Values of a final hidden state; 0 when there is none.</summary>
    public int HiddenWidth => _backend.Shape.HiddenWidth;

    public required ModelFacts Facts { get; init; }

    /// <summary>The memory that it may take.</summary>
    public MemoryPlan Memory { get; init; }

    /// <summary>What its input table is; looked at when first asked, which takes up to a second.</summary>
    public Lazy<TableOrigin> TableOrigin { get; init; } = new(Glyphs.Embeddings.TableOrigin.None);

    /// <summary>Changes with the weights, the tokenizer or the arithmetic.</summary>
    public required string Fingerprint { get; init; }

    /// <summary>Whether the engine's loop gives signs of life.</summary>
    public bool IsAlive => !Engine.HasFailed && Engine.Silence < LongestSilence;

    /// <summary>The same engine, answering under the name and by the weights of an ensemble of its members. It lives no longer than
    /// this object, and disposing it does nothing.</summary>
    public ServedModel As(Ensemble ensemble, string fingerprint) => View(ensemble.Id, ensemble, fingerprint);

    /// <summary>The same engine, answering under another name. It lives no longer than this object, and disposing it does nothing.
    /// </summary>
    public ServedModel Named(string id) => id == Id ? this : View(id, null, Fingerprint);

    private ServedModel View(string id, Ensemble? ensemble, string fingerprint) => new(this, id, ensemble)
    {
        Label = ensemble?.Label ?? Label,
        Stages = Stages,
        Table = Table,
        ChatTemplate = ChatTemplate,
        ChatTemplateFault = ChatTemplateFault,
        Marks = Marks,
        Facts = Facts,
        TableOrigin = TableOrigin,
        Fingerprint = fingerprint,
    };

    /// <summary>Reads a model's files and starts its engine.</summary>
    /// <param name="root">Where its substrate is.</param>
    /// <param name="folder">Its files.</param>
    /// <param name="options">The engine's budgets.</param>
    /// <param name="progress">Told how far it is; null = nobody asks.</param>
    /// <param name="memory">Refuses what does not fit; null = nobody does.</param>
    /// <exception cref="CheckpointException">A file is missing, malformed or not of this family.</exception>
    /// <exception cref="TokenizerFormatException">The tokenizer is.</exception>
    /// <param name="device">Where it computes; null = on this machine's processors.</param>
    public static ServedModel Load(
        ModelsRoot root, ModelFolder folder, EngineOptions options, IDevice? device = null, LoadProgress? progress = null,
        MemoryGate? memory = null)
    {
        device ??= new CpuDevice();
        progress?.Enter(LoadProgress.Read);
        using LoadedModel model = LoadedModel.Load(root, folder);
        // Both beside the packing of weights, which waits for memory much of the time.
        Task<Tokenizer> reading = Task.Run(() => Tokenizer.Load(model.TokenizerPath));
        Task verifying = Task.Run(model.Verify);
        (ChatTemplate? template, string? templateFault) = ChatTemplateFile.Read(model.Path);
        MemoryPlan plan = device.Plan(model.Experts, options);
        memory?.CheckRoom(folder.Path, plan);
        progress?.Enter(LoadProgress.Pack);
        // The backend of the engine holds the weights from here on.
        using IExperts weights = device.Load(model.Id, model.Experts, progress);
        progress?.Enter(LoadProgress.Start);
        verifying.GetAwaiter().GetResult();
        Tokenizer tokenizer = reading.GetAwaiter().GetResult();
        CheckVocabulary(model, tokenizer);
        GrownFamily family = GrownFamily.Read(folder.Path);
        using IExperts? stage = LoadStages(root, model, family, device);
        SpeculationOptions? speculation = device.IsBatchInvariant ? family.Speculation : null;
        options = options with { EndOfTextIds = EndOfText(model.Config, tokenizer), Speculation = speculation };
        return new ServedModel(folder.Id, weights.NewBackend(stage: stage), () => weights.NewBackend(), tokenizer, options)
        {
            Stages = family.Stages,
            Table = model.Table,
            ChatTemplate = template,
            ChatTemplateFault = templateFault,
            Marks = TextMarks.Of(model.Config, tokenizer),
            Facts = ModelFacts.Of(model, weights),
            Memory = plan,
            TableOrigin = OriginOf(model.Weights, tokenizer),
            Fingerprint = SystemFingerprint.Of(model, tokenizer.Fingerprint, device.Arithmetic),
        };
    }

    /// <summary>Takes no request any more, lets those that use it finish, then ends it.</summary>
    public async Task RetireAsync()
    {
        await Users.CloseAsync();
        await DisposeAsync();
    }

    /// <summary>Ends the engine, then frees its memory.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_isBorrowed)
            return;
        await Engine.DisposeAsync();
        _backend.Dispose();
        Users.Dispose();
    }

    // Every declared stage is checked, because its answers are given for this model's; the one that guesses ahead is kept.
    private static IExperts? LoadStages(ModelsRoot root, LoadedModel model, GrownFamily family, IDevice device)
    {
        IExperts? drafting = null;
        foreach ((int depth, string name) in family.Stages)
        {
            ModelFolder folder = root.Models.FirstOrDefault(other => other.Id == name) ?? throw new CheckpointException(
                Path.Combine(model.Path, "serving.json"), $"stages, '{depth}'", "the name of a model beside this one", $"'{name}'");
            using LoadedModel stage = LoadedModel.Load(root, folder);
            GrownFamily.Check(model, stage, depth);
            if (depth == family.DraftDepth && device.IsBatchInvariant)
                drafting = device.Load(stage.Id, stage.Experts);
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

    private static Lazy<TableOrigin> OriginOf(TransformerWeights weights, Tokenizer tokenizer)
    {
        FrozenTable table = weights.Table;
        return weights.TableSource == TableSource.TokenBits
            ? new(Glyphs.Embeddings.TableOrigin.None)
            : new(() => TableRecognition.Of(table, tokenizer.Spellings()));
    }

    /// <summary>The tokens that end a text: the one its configuration names, else the usual ones that the tokenizer has.</summary>
    public static int[] EndOfText(ModelConfig config, Tokenizer tokenizer)
    {
        IEnumerable<string> names = config.EndToken is { } named ? [named] : UsualEndTokens;
        return [.. names.Select(tokenizer.FindId).OfType<int>()];
    }
}
