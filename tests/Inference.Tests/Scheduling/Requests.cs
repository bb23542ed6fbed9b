using Serving.Glyphs.Tokens;
using Serving.Inference.Sampling;
using Serving.Testing;

namespace Serving.Inference.Tests.Scheduling;

/// <summary>Requests to the <see cref="ReadBackBackend"/>, and what must come of each, computed alone and naively.</summary>
internal static class Requests
{
    public const int Vocabulary = 256;

    public static Tokenizer Tokenizer { get; } = Tokenizer.Load(TestData.Path("checkpoints", "plain", "tokenizer.json"));

    public static GenerationRequest Of(params int[] prompt) => new() { Id = "test", PromptTokens = prompt, MaxTokens = 8 };

    public static GenerationRequest Random(Random random, int longest, IReadOnlyList<int> endOfTextIds)
    {
        int common = 10 + random.Next(3); // prompts begin alike, so that the prefix cache has something to do
        int prompt = random.Next(1, longest);
        int most = random.Next(0, longest - prompt + 1);
        bool scores = random.Next(4) == 0;
        return new GenerationRequest
        {
            Id = "random",
            PromptTokens = [.. Enumerable.Range(0, prompt).Select(i => i < prompt * 2 / 3 ? common : random.Next(Vocabulary))],
            MaxTokens = most,
            MinTokens = random.Next(3) == 0 ? random.Next(0, most + 1) : 0,
            IgnoreEndOfText = random.Next(4) == 0,
            StopTokenIds = random.Next(3) == 0 ? [.. Enumerable.Range(random.Next(200), 20)] : endOfTextIds,
            Logprobs = random.Next(3) == 0 ? random.Next(0, 5) : null,
            PoolsPrompt = most == 0 && !scores,
            PromptLogprobs = scores ? random.Next(0, 3) : null,
            CacheScope = random.Next(2),
            LogitBias = random.Next(4) == 0 ? [new LogitBias(7, 3)] : [],
            Sampling = new(random.Next(2), random.Next(2) == 0 ? 1 : 0.7f, random.Next(2) * 20, 0, (ulong)random.Next())
            {
                PresencePenalty = random.Next(4) == 0 ? 0.5f : 0,
                RepetitionPenalty = random.Next(4) == 0 ? 1.3f : 1,
            },
        };
    }

    /// <summary>The tokens of a request computed alone, without blocks, chunks or a batch.</summary>
    public static int[] Expected(GenerationRequest request, int context, IReadOnlyList<int> endOfTextIds)
    {
        Sampler sampler = new(Vocabulary);
        LogitAdjuster adjuster = new(Vocabulary, endOfTextIds);
        float[] logits = new float[Vocabulary];
        List<int> tokens = [.. request.PromptTokens];
        for (int i = 0; i < request.MaxTokens && tokens.Count < context; i++)
        {
            int[] before = [.. tokens];
            ReadBackBackend.Logits(before, logits);
            int token = sampler.Sample(adjuster.Adjust(logits, request, before), request.Sampling, i);
            tokens.Add(token);
            bool ends = (endOfTextIds.Contains(token) && !request.IgnoreEndOfText) || request.StopTokenIds.Contains(token);
            if (ends) break;
        }
        return [.. tokens.Skip(request.PromptTokens.Length)];
    }

    /// <summary>The prompt's scores, in double precision.</summary>
    public static double[] ExpectedScores(GenerationRequest request)
    {
        float[] logits = new float[Vocabulary];
        double[] scores = new double[request.PromptTokens.Length - 1];
        for (int i = 0; i < scores.Length; i++)
        {
            ReadBackBackend.Logits(request.PromptTokens.AsSpan(0, i + 1), logits);
            scores[i] = logits[request.PromptTokens[i + 1]] - Math.Log(logits.Sum(logit => Math.Exp(logit)));
        }
        return scores;
    }
}
