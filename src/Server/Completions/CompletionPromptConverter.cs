using System.Text.Json;
using System.Text.Json.Serialization;
using Serving.Server.Json;
using static Serving.Server.Completions.CompletionPrompt;

namespace Serving.Server.Completions;

/// <summary>Reads a string, strings, ids, or lists of ids.</summary>
internal sealed class CompletionPromptConverter : JsonConverter<CompletionPrompt>
{
    private const string Forms = "must be a string, a list of strings, a list of token ids or a list of such lists";

    public override CompletionPrompt Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.String)
            return new([new Item(JsonText.Read(ref reader), null)], IsList: false);
        if (reader.TokenType != JsonTokenType.StartArray)
            throw new ContractException(Forms);
        reader.Read();
        return reader.TokenType switch
        {
            JsonTokenType.EndArray => new([], IsList: true),
            JsonTokenType.String => new(ReadList(ref reader, ReadText), IsList: true),
            JsonTokenType.Number => new([new Item(null, ReadIds(ref reader))], IsList: false),
            JsonTokenType.StartArray => new(ReadList(ref reader, ReadNestedIds), IsList: true),
            _ => throw new ContractException(Forms),
        };
    }

    public override void Write(Utf8JsonWriter writer, CompletionPrompt value, JsonSerializerOptions options) =>
        throw new NotSupportedException("Prompts are only read.");

    private delegate Item ReadItem(ref Utf8JsonReader reader);

    private static List<Item> ReadList(ref Utf8JsonReader reader, ReadItem readItem)
    {
        var items = new List<Item>();
        for (; reader.TokenType != JsonTokenType.EndArray; reader.Read())
            items.Add(readItem(ref reader));
        return items;
    }

    private static Item ReadText(ref Utf8JsonReader reader) => reader.TokenType == JsonTokenType.String
        ? new Item(JsonText.Read(ref reader), null)
        : throw new ContractException(Forms);

    private static Item ReadNestedIds(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
            throw new ContractException(Forms);
        reader.Read();
        return new Item(null, ReadIds(ref reader));
    }

    private static int[] ReadIds(ref Utf8JsonReader reader)
    {
        var ids = new List<int>();
        for (; reader.TokenType != JsonTokenType.EndArray; reader.Read())
        {
            if (reader.TokenType != JsonTokenType.Number)
                throw new ContractException(Forms);
            if (!reader.TryGetInt32(out int id))
                throw new ContractException("holds a number that is no token id: ids are integers of at most 32 bits");
            ids.Add(id);
        }
        return [.. ids];
    }
}
