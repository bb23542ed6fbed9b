using Serving.Inference.Checkpoints;
using Serving.Server.Errors;

namespace Serving.Server.Models;

/// <summary>A model of the catalog, loaded or not. Thread-safe: it goes from loading to ready or failed once.</summary>
internal sealed class ModelEntry(ModelsRoot root, ModelFolder folder)
{
    private volatile ServedModel? _model;
    private volatile string? _fault;

    public string Id => folder.Id;

    public ModelFolder Folder => folder;

    public ModelsRoot Root => root;

    public ModelState State => _model is not null ? ModelState.Ready : _fault is not null ? ModelState.Failed : ModelState.Loading;

    /// <summary>Null until the model is ready.</summary>
    public ServedModel? Model => _model;

    /// <summary>Why it failed, without the place of its files.</summary>
    public string? Fault => _fault;

    /// <summary>The model, if it can answer.</summary>
    /// <exception cref="ApiException">503: it is still loading, or failed to.</exception>
    public ServedModel Require() => _model ?? throw new ApiException(
        _fault is null ? ErrorTable.ModelLoading(Id) : ErrorTable.ModelUnavailable(Id, _fault));

    /// <summary>Makes the model answer.</summary>
    public void Become(ServedModel model) => _model = model;

    /// <summary>Takes note that the model cannot be loaded.</summary>
    public void Fail(Exception fault) => _fault = fault is CheckpointException or Glyphs.Tokens.TokenizerFormatException
        ? fault.Message.Replace(root.Path + Path.DirectorySeparatorChar, "", StringComparison.Ordinal)
        : "an unexpected fault; the server's log has the reason.";
}
