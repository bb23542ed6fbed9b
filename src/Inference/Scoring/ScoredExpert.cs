namespace Serving.Inference.Scoring;

/// <summary>A model that takes part in scoring.</summary>
/// <param name="Id">Names it in faults.</param>
/// <param name="Backend">Its arithmetic. Used by one scorer at a time; whatever its K/V holds is overwritten.</param>
public readonly record struct ScoredExpert(string Id, IBackend Backend);
