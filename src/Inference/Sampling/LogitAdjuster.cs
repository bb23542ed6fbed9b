namespace Serving.Inference.Sampling;

/// <summary>Applies what a request changes about logits before a token is picked: biases, penalties, and the ban on ending
/// before <see cref="GenerationRequest.MinTokens"/>.</summary>
/// <remarks>Buffers are kept between calls, so a call allocates nothing; not thread-safe, the engine loop owns it.</remarks>
internal sealed class LogitAdjuster
{
    private readonly float[] _logits; // [vocabulary]
    private readonly int[] _counts; // [vocabulary], all 0 between calls
    private readonly int[] _endOfTextIds;

    /// <summary>For rows of <paramref name="vocabularySize"/> logits.</summary>
    public LogitAdjuster(int vocabularySize, IReadOnlyList<int> endOfTextIds)
    {
        _logits = new float[vocabularySize];
        _counts = new int[vocabularySize];
        _endOfTextIds = [.. endOfTextIds];
    }

    /// <summary>The logits to pick from: the row itself if nothing changes, else a copy that lasts until the next call.</summary>
    /// <param name="logits">[vocabulary]</param>
    /// <param name="request">What was asked for.</param>
    /// <param name="tokens">Prompt and generated tokens.</param>
    public ReadOnlySpan<float> Adjust(ReadOnlySpan<float> logits, GenerationRequest request, ReadOnlySpan<int> tokens)
    {
        ReadOnlySpan<int> generated = tokens[request.PromptTokens.Length..];
        bool bans = generated.Length < request.MinTokens;
        if (!Changes(request, generated.Length)) return logits;
        logits.CopyTo(_logits);
        for (int i = 0; i < request.LogitBias.Count; i++) _logits[request.LogitBias[i].TokenId] += request.LogitBias[i].Bias;
        Repetition(tokens, request.Sampling.RepetitionPenalty);
        CountPenalties(generated, request.Sampling);
        if (bans) BanEnds(request);
        return _logits;
    }

    /// <summary>Whether a request changes anything about the row of its next token.</summary>
    public static bool Changes(GenerationRequest request, int generatedTokens) =>
        generatedTokens < request.MinTokens || request.LogitBias.Count > 0 || Penalizes(request.Sampling);

    private static bool Penalizes(in SamplingOptions options) =>
        options is not { PresencePenalty: 0, FrequencyPenalty: 0, RepetitionPenalty: 1 };

    private void Repetition(ReadOnlySpan<int> tokens, float penalty)
    {
        if (penalty == 1) return;
        foreach (int token in tokens)
        {
            if (_counts[token]++ > 0) continue;
            _logits[token] = _logits[token] > 0 ? _logits[token] / penalty : _logits[token] * penalty;
        }
        foreach (int token in tokens) _counts[token] = 0;
    }

    private void CountPenalties(ReadOnlySpan<int> generated, in SamplingOptions options)
    {
        if (options is { PresencePenalty: 0, FrequencyPenalty: 0 }) return;
        foreach (int token in generated) _counts[token]++;
        foreach (int token in generated)
        {
            if (_counts[token] == 0) continue;
            _logits[token] -= options.PresencePenalty + (options.FrequencyPenalty * _counts[token]);
            _counts[token] = 0;
        }
    }

    private void BanEnds(GenerationRequest request)
    {
        if (!request.IgnoreEndOfText)
            foreach (int id in _endOfTextIds) _logits[id] = float.NegativeInfinity;
        for (int i = 0; i < request.StopTokenIds.Count; i++) _logits[request.StopTokenIds[i]] = float.NegativeInfinity;
    }
}
