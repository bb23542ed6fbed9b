using Serving.Inference.Checkpoints;
using Serving.Server.Errors;

namespace Serving.Server.Models;

/// <summary>A model of the catalog, loaded or not. Thread-safe; one loader at a time changes it.</summary>
internal sealed class ModelEntry(ModelsRoot root, ModelFolder folder)
{
    private volatile Standing _standing = new(ModelState.Loading);

    public string Id => folder.Id;

    public ModelFolder Folder => folder;

    public ModelsRoot Root => root;

    public ModelState State => _standing.State;

    /// <summary>The version that answers; null if none does.</summary>
    public ServedModel? Model => _standing.Model;

    /// <summary>Why it failed, without the place of its files.</summary>
    public string? Fault => _standing.Fault;

    /// <summary>Of all files in its folder, when the server began.</summary>
    public long FileBytes { get; } = new DirectoryInfo(folder.Path).EnumerateFiles().Sum(file => file.Length);

    /// <summary>How far its loading is.</summary>
    public LoadProgress Progress { get; } = new();

    /// <summary>Whoever changes the entry holds this.</summary>
    public SemaphoreSlim Changing { get; } = new(1);

    /// <summary>The model, if it can answer.</summary>
    /// <exception cref="ApiException">503: it is still loading, failed to, or was unloaded.</exception>
    public ServedModel Require()
    {
        Standing standing = _standing;
        return standing.Model ?? throw new ApiException(ObstacleOf(standing)!);
    }

    /// <summary>Why it cannot answer now; null when it can.</summary>
    public ApiFailure? Obstacle() => ObstacleOf(_standing);

    /// <summary>Makes a version answer from now on.</summary>
    public void Become(ServedModel model) => _standing = new(ModelState.Ready, model);

    /// <summary>Takes the model out.</summary>
    public void Leave() => _standing = new(ModelState.Unloaded);

    /// <summary>Takes note that the model cannot be loaded, unless an earlier version answers.</summary>
    /// <returns>Why, without the place of its files.</returns>
    public string Fail(Exception fault)
    {
        string reason = fault is CheckpointException or Glyphs.Tokens.TokenizerFormatException
            ? fault.Message.Replace(root.Path + Path.DirectorySeparatorChar, "", StringComparison.Ordinal)
            : "an unexpected fault; the server's log has the reason.";
        if (_standing.Model is null)
            _standing = new(ModelState.Failed, Fault: reason);
        return reason;
    }

    private ApiFailure? ObstacleOf(Standing standing) => standing switch
    {
        { State: ModelState.Loading } => ErrorTable.ModelLoading(Id),
        { State: ModelState.Unloaded } => ErrorTable.ModelUnloaded(Id),
        { State: ModelState.Failed, Fault: { } fault } => ErrorTable.ModelUnavailable(Id, fault),
        _ => null,
    };

    private sealed record Standing(ModelState State, ServedModel? Model = null, string? Fault = null);
}
