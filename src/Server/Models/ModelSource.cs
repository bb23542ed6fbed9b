using Microsoft.Extensions.Options;
using Serving.Glyphs.Tokens;
using Serving.Inference.Checkpoints;
using Serving.Inference.Scheduling;
using Serving.Server.Chat;
using Serving.Server.Health;
using Serving.Server.Hosting;
using Serving.Server.Peers;

namespace Serving.Server.Models;

/// <summary>Where the server's models come from: their folders, or peers that compute them. Thread-safe.</summary>
internal sealed class ModelSource(ModelCatalog catalog, MemoryGate memory, RemoteModels remote, IOptions<ServingOptions> settings)
{
    /// <summary>Reads a model of the catalog and tells its entry how far it is. One that peers compute is waited for.</summary>
    /// <exception cref="CheckpointException">Its files cannot be used, it does not fit into memory, or the peers have another tokenizer.
    /// </exception>
    public ServedModel Load(ModelsRoot root, ModelFolder folder, EngineOptions options)
    {
        LoadProgress progress = catalog.Find(folder.Id).Progress;
        return remote.TryFind(folder.Id, out PeerGroup? peers)
            ? LoadRemote(root, folder, options, progress, peers)
            : ServedModel.Load(root, folder, options, settings.Value.DeviceOf(folder.Id), progress, memory);
    }

    // Tokenizer and table are read here, weights are not.
    private ServedModel LoadRemote(ModelsRoot root, ModelFolder folder, EngineOptions options, LoadProgress progress, PeerGroup peers)
    {
        progress.Enter(LoadProgress.Read);
        using LoadedModel model = LoadedModel.Load(root, folder);
        Tokenizer tokenizer = Tokenizer.Load(model.TokenizerPath);
        (ChatTemplate? template, string? templateFault) = ChatTemplateFile.Read(model.Path);
        progress.Enter(LoadProgress.Start);
        PeerGreeting greeting = remote.AwaitGreeting(peers);
        if (greeting.TokenizerFingerprint != tokenizer.Fingerprint || greeting.Shape.VocabularySize != model.Weights.VocabularySize)
        {
            throw new CheckpointException(folder.Path, "remote model", $"peers with tokenizer {tokenizer.Fingerprint}",
                $"{greeting.TokenizerFingerprint}", "Give the peers and this server the same models.");
        }
        int[] endOfText = ServedModel.EndOfText(model.Config, tokenizer);
        return new ServedModel(folder.Id, () => new RemoteBackend(peers, greeting), tokenizer, options with { EndOfTextIds = endOfText })
        {
            Table = model.Table,
            ChatTemplate = template,
            ChatTemplateFault = templateFault,
            Marks = TextMarks.Of(model.Config, tokenizer),
            Facts = ModelFacts.OfRemote(model),
            Fingerprint = greeting.Fingerprint,
        };
    }
}
