using System.Text;

namespace Serving.Server.Completions;

/// <summary>Joins the pieces of a choice. Not thread-safe.</summary>
internal sealed class ChoiceCollector
{
    private readonly StringBuilder _text = new();
    private readonly List<string> _tokens = [];
    private readonly List<float?> _tokenLogprobs = [];
    private readonly List<IReadOnlyDictionary<string, float>?> _topLogprobs = [];
    private readonly List<int> _offsets = [];
    private readonly List<ExpertLogprobs> _experts = [];
    private readonly List<int> _tokenIds = [];
    private IReadOnlyList<int>? _promptTokenIds;
    private string? _finishReason;

    public void Add(CompletionChoice piece)
    {
        _text.Append(piece.Text);
        _finishReason = piece.FinishReason ?? _finishReason;
        if (piece.ExpertLogprobs is { } experts)
            _experts.Add(experts);
        _promptTokenIds ??= piece.PromptTokenIds;
        _tokenIds.AddRange(piece.TokenIds ?? []);
        if (piece.Logprobs is not { } logprobs)
            return;
        _tokens.AddRange(logprobs.Tokens);
        _tokenLogprobs.AddRange(logprobs.TokenLogprobs);
        _topLogprobs.AddRange(logprobs.TopLogprobs);
        _offsets.AddRange(logprobs.TextOffset);
    }

    /// <summary>The choice so far.</summary>
    /// <param name="index">Its place in the answer.</param>
    /// <param name="withLogprobs">Whether they were asked for.</param>
    public CompletionChoice ToChoice(int index, bool withLogprobs) => new(
        index, _text.ToString(), withLogprobs ? new(_tokens, _tokenLogprobs, _topLogprobs, _offsets) : null, _finishReason)
    {
        ExpertLogprobs = _experts.Count == 0 ? null : new(
            _experts[0].Experts, [.. _experts.SelectMany(piece => piece.TokenLogprobs)],
            [.. _experts.SelectMany(piece => piece.TopTokens)], [.. _experts.SelectMany(piece => piece.Disagreement)]),
        PromptTokenIds = _promptTokenIds,
        TokenIds = _promptTokenIds is null ? null : _tokenIds,
    };
}
