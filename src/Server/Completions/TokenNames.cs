using System.Globalization;
using Serving.Glyphs.Tokens;

namespace Serving.Server.Completions;

/// <summary>How tokens and their log-probabilities are written in answers. Thread-safe.</summary>
internal sealed class TokenNames(Tokenizer tokenizer)
{
    // JSON has no infinity; clients know this number for "impossible".
    private const float Impossible = -9999;

    /// <summary>The token's text, or its bytes, or its id: a model may know more ids than its tokenizer.</summary>
    public string Of(int id) => IsKnown(id) ? tokenizer.TokenText(id) : Numbered(id);

    /// <summary>The bytes that the token stands for.</summary>
    public IReadOnlyList<int> BytesOf(int id) => IsKnown(id) ? [.. tokenizer.TokenBytes(id).Select(value => (int)value)] : [];

    /// <summary>The token by its id.</summary>
    public static string Numbered(int id) => string.Create(CultureInfo.InvariantCulture, $"token_id:{id}");

    /// <summary>A log-probability that JSON can hold.</summary>
    public static float Finite(float? logprob) => logprob is { } number && float.IsFinite(number) ? number : Impossible;

    private bool IsKnown(int id) => tokenizer.Spelling(id) is not null;
}
