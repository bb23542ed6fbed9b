using System.Text.Json;
using System.Text.Json.Serialization;

namespace Serving.Client;

/// <summary>One prompt or several, as texts or as token ids. Converts from <see cref="string"/>, and from arrays of strings, ids and
/// lists of ids.</summary>
[JsonConverter(typeof(Converter))]
public sealed class Prompt
{
    private readonly object _value;

    private Prompt(object value) => _value = value;

    /// <summary>A text.</summary>
    public static implicit operator Prompt(string text) => new(text);

    /// <summary>Several texts.</summary>
    public static implicit operator Prompt(string[] texts) => new(texts);

    /// <summary>Token ids.</summary>
    public static implicit operator Prompt(int[] ids) => new(ids);

    /// <summary>Several lists of token ids.</summary>
    public static implicit operator Prompt(int[][] lists) => new(lists);

    internal sealed class Converter : JsonConverter<Prompt>
    {
        public override Prompt Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            throw new NotSupportedException("Prompts are only written.");

        public override void Write(Utf8JsonWriter writer, Prompt value, JsonSerializerOptions options) =>
            JsonSerializer.Serialize(writer, value._value, options.GetTypeInfo(value._value.GetType()));
    }
}
