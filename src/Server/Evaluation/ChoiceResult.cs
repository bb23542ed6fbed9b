namespace Serving.Server.Evaluation;

/// <summary>How many questions a model answers right.</summary>
/// <param name="Model">Who.</param>
/// <param name="Task">Of what file.</param>
/// <param name="Questions">How many there were.</param>
/// <param name="Skipped">Questions whose prompt does not fit the model's context; they count as wrong.</param>
/// <param name="Sampled">The share, as the authors measured it: mean over runs of drawing the answer; null when not asked for.</param>
/// <param name="Likeliest">The share for which the right letter is the likeliest one; null when not asked for.</param>
/// <param name="Chance">The share that guessing gets.</param>
internal sealed record ChoiceResult(
    string Model, string Task, int Questions, int Skipped, Estimate? Sampled, Estimate? Likeliest, double Chance);
