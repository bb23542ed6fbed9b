using Serving.Server.Completions;
using Serving.Server.Errors;

namespace Serving.Server.Comparisons;

/// <summary>What the body of a comparison must be like, before any model is asked.</summary>
internal static class CompareRules
{
    public const int MaxModels = 8;

    /// <exception cref="ApiException">400 with everything that is wrong.</exception>
    public static void Check(CompareRequest request, bool strict)
    {
        var problems = new ProblemList();
        ForeignFields.OfComparisons.Check(request.Unknown, problems);
        if (request.Prompt is null == request.Text is null)
        {
            problems.Add("prompt", "Give either 'prompt', which every model continues, or 'text', which every model scores; "
                + (request.Text is null ? "none was given." : "both were given."));
        }
        int least = request.Text is null ? 2 : 1, models = request.Models?.Count ?? 0;
        if (models < least || models > MaxModels)
            problems.Add("models", $"'models' must be a list of {least} to {MaxModels} models, ensembles or sums; {models} were given.");
        if (request.Prompt is { } prompt && (prompt.IsList || prompt.Items.Count != 1))
            problems.Add("prompt", "'prompt' must be one text or one list of token ids; several were given.");
        if (request.Text is not null)
        {
            foreach (string field in request.GenerationFields())
                problems.Unsupported(true, field, $"'{field}' says how to continue a prompt; a text is only scored. Leave it out.");
        }
        problems.Unsupported(request is { LeaveOneOut: true, Text: null }, "leave_one_out",
            "'leave_one_out' needs a 'text' to score. Leave it out.");
        foreach (string field in strict ? request.Unknown?.Keys ?? Enumerable.Empty<string>() : [])
            problems.Unsupported(true, field, $"There is no field '{field}', and X-Strict: 1 asks for a refusal. Leave it out.");
        problems.ThrowIfAny();
    }
}
