using System.Text.Json;
using System.Text.RegularExpressions;
using Serving.Glyphs.Embeddings;

namespace Serving.Inference.Checkpoints;

/// <summary>Typed, range-checked access to the keys of a JSON object; an absent or null key is null.</summary>
internal readonly partial struct ConfigKeys(string path, JsonElement root)
{
    /// <summary>The first of <paramref name="names"/> that is present, from 1 to <paramref name="max"/>.</summary>
    public int? Int32(int max, params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
        {
            if (Find(name) is not { } value)
                continue;
            return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) && number >= 1 && number <= max
                ? number
                : throw Bad(name, $"a whole number from 1 to {max}", value);
        }

        return null;
    }

    /// <summary>The first of <paramref name="names"/> that is present, above 0 and up to 0.1.</summary>
    public double? Epsilon(params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
        {
            if (Find(name) is not { } value)
                continue;
            return value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && number is > 0 and <= 0.1
                ? number
                : throw Bad(name, "a number above 0, up to 0.1", value);
        }

        return null;
    }

    /// <summary>The activation that the first of <paramref name="names"/> that is present names.</summary>
    public Activation? Activation(params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
        {
            if (Text(name) is not { } text)
                continue;
            return text switch
            {
                "gelu" => Checkpoints.Activation.Gelu,
                "gelu_tanh" or "gelu_new" or "gelu_pytorch_tanh" or "gelu_fast" => Checkpoints.Activation.GeluTanh,
                "silu" or "swish" => Checkpoints.Activation.Silu,
                "relu" => Checkpoints.Activation.Relu,
                _ => throw Bad(name, "one of gelu, gelu_tanh, silu, relu", Find(name)!.Value),
            };
        }

        return null;
    }

    /// <summary>True or false.</summary>
    public bool? Flag(string name) => Find(name) is not { } value ? null
        : value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : throw Bad(name, "true or false", value);

    /// <summary>A code of token ids: rows of zeros and ones, each a string, and what is added to them.</summary>
    public TokenCode? Code(string matrix, string offset)
    {
        if (Find(matrix) is not { } rows)
            return null;
        int digits = rows.ValueKind == JsonValueKind.Array ? rows.GetArrayLength() : 0;
        if (digits is < 1 or > TokenCode.MaxDigits)
            throw Bad(matrix, $"1 to {TokenCode.MaxDigits} strings of zeros and ones", rows);
        var map = new List<bool>(digits * digits);
        foreach (JsonElement row in rows.EnumerateArray())
            map.AddRange(Bits(row, digits) ?? throw Bad(matrix, $"strings of {digits} zeros and ones", row));
        if (Find(offset) is not { } added)
            return TokenCode.OfMap([.. map], []);
        return TokenCode.OfMap([.. map], Bits(added, digits) ?? throw Bad(offset, $"a string of {digits} zeros and ones", added));
    }

    private static bool[]? Bits(JsonElement element, int count)
    {
        string? text = element.ValueKind == JsonValueKind.String ? element.GetString() : null;
        return text?.Length == count && text.All(c => c is '0' or '1') ? [.. text.Select(c => c == '1')] : null;
    }

    /// <summary>A string.</summary>
    public string? Text(string name)
    {
        if (Find(name) is not { } value)
            return null;
        return value.ValueKind == JsonValueKind.String ? value.GetString() : throw Bad(name, "a string", value);
    }

    /// <summary>The lower-case name of a value of <typeparamref name="T"/>.</summary>
    public T? Choice<T>(string name)
        where T : struct, Enum
    {
        if (Text(name) is not { } text)
            return null;
        foreach (T value in Enum.GetValues<T>())
        {
            if (value.ToString().Equals(text, StringComparison.OrdinalIgnoreCase))
                return value;
        }

        throw Bad(name, $"one of {string.Join(", ", Enum.GetNames<T>()).ToLowerInvariant()}", Find(name)!.Value);
    }

    /// <summary><c>sha256:</c> and 64 lower-case hexadecimal digits.</summary>
    public string? Fingerprint(string name)
    {
        string? text = Text(name);
        return text is null || FingerprintPattern().IsMatch(text)
            ? text
            : throw Bad(name, "'sha256:' and 64 lower-case hexadecimal digits", Find(name)!.Value);
    }

    private JsonElement? Find(string name) =>
        root.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    private CheckpointException Bad(string name, string expected, JsonElement value)
    {
        string raw = value.GetRawText();
        return new CheckpointException(path, $"key '{name}'", expected, raw.Length <= 80 ? raw : raw[..80] + "…");
    }

    [GeneratedRegex("^sha256:[0-9a-f]{64}\\z")]
    private static partial Regex FingerprintPattern();
}
