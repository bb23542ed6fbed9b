namespace Serving.Inference.Ensembles;

/// <summary>What of its members an ensemble averages.</summary>
public enum EnsembleRule
{
    /// <summary>Logits, before the softmax.</summary>
    Logits,

    /// <summary>Probabilities.</summary>
    Probabilities,
}
