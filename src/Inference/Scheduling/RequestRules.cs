using Serving.Inference.Sampling;

namespace Serving.Inference.Scheduling;

/// <summary>The last check before a request reaches the loop: nothing out of range may reach the arithmetic that it shares
/// with its neighbours. Validators check the same earlier, in their callers' words.</summary>
internal static class RequestRules
{
    /// <summary>Throws what is wrong with a request.</summary>
    /// <exception cref="ArgumentException">It does not fit the model.</exception>
    public static void Check(GenerationRequest request, in ModelShape shape, int context)
    {
        ArgumentNullException.ThrowIfNull(request);
        (int prompt, int vocabulary) = (request.PromptTokens.Length, shape.VocabularySize);
        int longest = request.MaxTokens > 0 ? context - 1 : context;
        Require(prompt >= 1 && prompt <= longest, $"PromptTokens must be 1 to {longest} tokens, but are {prompt}.");
        Require(request.MaxTokens >= 0, $"MaxTokens must be at least 0, but is {request.MaxTokens}.");
        Require(request.MinTokens >= 0 && request.MinTokens <= request.MaxTokens,
            $"MinTokens must be 0 to MaxTokens ({request.MaxTokens}), but is {request.MinTokens}.");
        Require(IsCount(request.Logprobs), $"Logprobs must be 0 to {LogSoftmax.MostAlternatives}, but is {request.Logprobs}.");
        Require(IsCount(request.PromptLogprobs),
            $"PromptLogprobs must be 0 to {LogSoftmax.MostAlternatives}, but is {request.PromptLogprobs}.");
        Require(!request.PoolsPrompt || (shape.HiddenWidth > 0 && request is { MaxTokens: 0, PromptLogprobs: null }),
            "PoolsPrompt needs a backend with hidden states, MaxTokens 0 and no PromptLogprobs.");
        Require(request.CacheScope >= 0, $"CacheScope must be at least 0, but is {request.CacheScope}.");
        Require(request.Stop.All(stop => !string.IsNullOrEmpty(stop)), "Stop must not hold an empty text.");
        CheckIds(request.PromptTokens, nameof(request.PromptTokens), vocabulary);
        CheckIds(request.StopTokenIds, nameof(request.StopTokenIds), vocabulary);
        CheckIds(request.LogitBias.Select(bias => bias.TokenId), nameof(request.LogitBias), vocabulary);
        Require(request.LogitBias.All(bias => float.IsFinite(bias.Bias)), "LogitBias must hold finite numbers.");
        Check(request.Sampling);
    }

    private static void Check(in SamplingOptions sampling)
    {
        Require(sampling.Temperature is >= 0 and <= 2, $"Temperature must be 0 to 2, but is {sampling.Temperature}.");
        Require(sampling.TopP is > 0 and <= 1, $"TopP must be above 0 and at most 1, but is {sampling.TopP}.");
        Require(sampling.TopK >= 0, $"TopK must be at least 0, but is {sampling.TopK}.");
        Require(sampling.MinP is >= 0 and <= 1, $"MinP must be 0 to 1, but is {sampling.MinP}.");
        Require(sampling.PresencePenalty is >= -2 and <= 2,
            $"PresencePenalty must be -2 to 2, but is {sampling.PresencePenalty}.");
        Require(sampling.FrequencyPenalty is >= -2 and <= 2,
            $"FrequencyPenalty must be -2 to 2, but is {sampling.FrequencyPenalty}.");
        Require(sampling.RepetitionPenalty is > 0 and <= 2,
            $"RepetitionPenalty must be above 0 and at most 2, but is {sampling.RepetitionPenalty}.");
    }

    private static void CheckIds(IEnumerable<int> ids, string name, int vocabulary)
    {
        foreach (int id in ids)
            Require((uint)id < (uint)vocabulary, $"{name} must be ids from 0 to {vocabulary - 1}, but one is {id}.");
    }

    private static bool IsCount(int? count) => count is null or (>= 0 and <= LogSoftmax.MostAlternatives);

    private static void Require(bool condition, string message)
    {
        if (!condition) throw new ArgumentException(message);
    }
}
