namespace Serving.Inference.Checkpoints;

/// <summary>Which elements of a head rotary positions turn together, D being the head's size.</summary>
public enum RopePairing
{
    /// <summary>Element i with element i + D/2.</summary>
    Half,

    /// <summary>Element 2i with element 2i + 1.</summary>
    Interleaved,

    /// <summary>Element 2i with element 2i + 1, yet element j takes angle j mod D/2, so that the two turn differently.</summary>
    Hybrid,
}
