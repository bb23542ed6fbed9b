using System.Text;
using Serving.Glyphs.Tokens;
using Serving.Inference;

namespace Serving.Server.Completions;

/// <summary>Names tokens and places them in the text of one choice. Not thread-safe.</summary>
internal sealed class LogprobsWriter(Tokenizer tokenizer)
{
    private readonly TokenNames _names = new(tokenizer);
    private readonly StreamingDecoder _decoder = tokenizer.CreateDecoder();
    private int _offset;

    /// <summary>The entries of an echoed prompt.</summary>
    /// <param name="tokens">All its tokens.</param>
    /// <param name="text">Its text as it is echoed.</param>
    public CompletionLogprobs Prompt(IReadOnlyList<ScoredToken> tokens, string text)
    {
        StreamingDecoder decoder = tokenizer.CreateDecoder();
        var offsets = new int[tokens.Count];
        int offset = 0;
        for (int i = 0; i < offsets.Length; i++)
        {
            offsets[i] = offset;
            offset += CodePoints(decoder.Push(tokens[i].TokenId));
        }
        _offset = CodePoints(text);
        return new CompletionLogprobs(
            [.. tokens.Select(token => _names.Of(token.TokenId))],
            [.. tokens.Select(token => token.Logprob is { } logprob ? TokenNames.Finite(logprob) : (float?)null)],
            [.. tokens.Select(token => token.Logprob is { } logprob ? Top(token.TokenId, logprob, token.TopLogprobs) : null)],
            offsets);
    }

    /// <summary>The entry of a generated token.</summary>
    public CompletionLogprobs Token(TokenGenerated token)
    {
        int start = _offset;
        _offset += CodePoints(_decoder.Push(token.TokenId));
        return new CompletionLogprobs(
            [_names.Of(token.TokenId)], [TokenNames.Finite(token.Logprob)], [Top(token.TokenId, token.Logprob, token.TopLogprobs)], [start]);
    }

    // Different tokens may have the same text (parts of characters do); the chosen one keeps the plain name.
    private Dictionary<string, float> Top(int chosen, float? logprob, IReadOnlyList<TokenLogprob>? alternatives)
    {
        string name = _names.Of(chosen);
        var top = new Dictionary<string, float>();
        foreach (TokenLogprob alternative in alternatives ?? [])
        {
            string text = alternative.TokenId == chosen ? name : _names.Of(alternative.TokenId);
            bool isTaken = alternative.TokenId != chosen && (text == name || top.ContainsKey(text));
            top[isTaken ? TokenNames.Numbered(alternative.TokenId) : text] = TokenNames.Finite(alternative.Logprob);
        }
        top.TryAdd(name, TokenNames.Finite(logprob));
        return top;
    }

    private static int CodePoints(string text)
    {
        int count = 0;
        foreach (Rune _ in text.EnumerateRunes())
            count++;
        return count;
    }
}
