using System.Text.Json;
using System.Text.Json.Serialization;
using Serving.Server.Json;

namespace Serving.Server.Completions;

/// <summary>Reads a string or a list of strings.</summary>
internal sealed class StopTextsConverter : JsonConverter<StopTexts>
{
    private const string Forms = "must be a string or a list of strings";

    public override StopTexts Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.String)
            return new([JsonText.Read(ref reader)]);
        if (reader.TokenType != JsonTokenType.StartArray)
            throw new ContractException(Forms);
        var texts = new List<string>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            texts.Add(reader.TokenType == JsonTokenType.String ? JsonText.Read(ref reader) : throw new ContractException(Forms));
        return new(texts);
    }

    public override void Write(Utf8JsonWriter writer, StopTexts value, JsonSerializerOptions options) =>
        throw new NotSupportedException("Stop texts are only read.");
}
