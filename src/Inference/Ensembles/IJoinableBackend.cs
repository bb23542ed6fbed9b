namespace Serving.Inference.Ensembles;

/// <summary>A backend on a device that can average it with others before anything leaves the device.</summary>
internal interface IJoinableBackend : IBackend
{
    /// <summary>These members as one, or null if they cannot be averaged where they are.</summary>
    /// <param name="roster">The members, this backend among them; the result owns them.</param>
    IEnsembleBackend? Join(EnsembleRoster roster);
}
