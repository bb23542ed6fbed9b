namespace Serving.Inference.Checkpoints;

/// <summary>A model that could be loaded.</summary>
/// <param name="Id">The folder's name, which is the model's id.</param>
/// <param name="Path">The folder.</param>
public sealed record ModelFolder(string Id, string Path);
