namespace Serving.Inference.Ensembles;

/// <summary>An expert of an ensemble.</summary>
/// <param name="Id">Names it in faults.</param>
/// <param name="Backend">Its arithmetic and K/V, for this ensemble alone.</param>
/// <param name="Weight">At least 0 and finite; only the proportions count. A member of weight 0 never runs.</param>
public sealed record EnsembleMember(string Id, IBackend Backend, double Weight = 1);
