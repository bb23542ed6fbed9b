namespace Serving.Inference.Sampling;

/// <summary>A token and what is added to its logit.</summary>
public readonly record struct LogitBias(int TokenId, float Bias);
