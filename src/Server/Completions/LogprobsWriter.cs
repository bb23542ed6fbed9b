using System.Globalization;
using System.Text;
using Serving.Glyphs.Tokens;
using Serving.Inference;
using Serving.Inference.Ensembles;

namespace Serving.Server.Completions;

/// <summary>Names tokens and places them in the text of one choice. Not thread-safe.</summary>
internal sealed class LogprobsWriter(Tokenizer tokenizer)
{
    // JSON has no infinity; clients know this number for "impossible".
    private const float Impossible = -9999;

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
            [.. tokens.Select(token => NameOf(token.TokenId))],
            [.. tokens.Select(token => token.Logprob is { } logprob ? Finite(logprob) : (float?)null)],
            [.. tokens.Select(token => token.Logprob is { } logprob ? Top(token.TokenId, logprob, token.TopLogprobs) : null)],
            offsets);
    }

    /// <summary>The entry of a generated token.</summary>
    public CompletionLogprobs Token(TokenGenerated token)
    {
        float logprob = token.Logprob ?? Impossible;
        int start = _offset;
        _offset += CodePoints(_decoder.Push(token.TokenId));
        return new CompletionLogprobs(
            [NameOf(token.TokenId)], [Finite(logprob)], [Top(token.TokenId, logprob, token.TopLogprobs)], [start]);
    }

    /// <summary>What the experts of an ensemble thought of a generated token.</summary>
    /// <param name="experts">The experts' ids.</param>
    /// <param name="attribution">Their thoughts, in the same order.</param>
    public ExpertLogprobs Experts(IReadOnlyList<string> experts, ExpertAttribution attribution) => new(
        experts, [[.. attribution.Logprobs.Select(Finite)]], [[.. attribution.FirstChoices.Select(NameOf)]], [attribution.Disagreement]);

    // Different tokens may have the same text (parts of characters do); the chosen one keeps the plain name.
    private Dictionary<string, float> Top(int chosen, float logprob, IReadOnlyList<TokenLogprob>? alternatives)
    {
        string name = NameOf(chosen);
        var top = new Dictionary<string, float>();
        foreach (TokenLogprob alternative in alternatives ?? [])
        {
            string text = alternative.TokenId == chosen ? name : NameOf(alternative.TokenId);
            bool isTaken = alternative.TokenId != chosen && (text == name || top.ContainsKey(text));
            top[isTaken ? Numbered(alternative.TokenId) : text] = Finite(alternative.Logprob);
        }
        top.TryAdd(name, Finite(logprob));
        return top;
    }

    /// <summary>A token's text. A model may know more ids than its tokenizer; these are called by their number.</summary>
    public string NameOf(int id)
    {
        try
        {
            return tokenizer.TokenText(id);
        }
        catch (ArgumentOutOfRangeException)
        {
            return Numbered(id);
        }
    }

    private static string Numbered(int id) => string.Create(CultureInfo.InvariantCulture, $"token_id:{id}");

    private static float Finite(float logprob) => float.IsFinite(logprob) ? logprob : Impossible;

    private static int CodePoints(string text)
    {
        int count = 0;
        foreach (Rune _ in text.EnumerateRunes())
            count++;
        return count;
    }
}
