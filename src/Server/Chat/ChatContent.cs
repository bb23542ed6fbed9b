using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Serving.Server.Json;

namespace Serving.Server.Chat;

/// <summary>The text of a message: a string, or a list of parts of type text, which are joined.</summary>
/// <param name="Text">The text.</param>
/// <param name="ForeignPart">The type of a part that is no text; null when all are.</param>
[JsonConverter(typeof(Converter))]
internal sealed record ChatContent(string Text, string? ForeignPart)
{
    internal sealed class Converter : JsonConverter<ChatContent>
    {
        private const string Forms = "must be a string or a list of parts such as {\"type\": \"text\", \"text\": \"…\"}";

        public override ChatContent Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            if (reader.TokenType == JsonTokenType.String)
                return new(JsonText.Read(ref reader), null);
            if (reader.TokenType != JsonTokenType.StartArray)
                throw new ContractException(Forms);
            var text = new StringBuilder();
            string? foreign = null;
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                (string? type, string? part) = ReadPart(ref reader);
                if (type != "text")
                    foreign ??= type ?? "(none)";
                text.Append(part);
            }
            return new(text.ToString(), foreign);
        }

        public override void Write(Utf8JsonWriter writer, ChatContent value, JsonSerializerOptions options) =>
            throw new NotSupportedException("Messages are only read.");

        private static (string? Type, string? Text) ReadPart(ref Utf8JsonReader reader)
        {
            if (reader.TokenType != JsonTokenType.StartObject)
                throw new ContractException(Forms);
            (string? type, string? text) = (null, null);
            while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
            {
                bool isType = reader.ValueTextEquals("type"), isText = reader.ValueTextEquals("text");
                reader.Read();
                if (!isType && !isText)
                    reader.TrySkip(); // Skip() refuses where more of the body may come; all of this value is here
                else if (reader.TokenType != JsonTokenType.String)
                    throw new ContractException(Forms);
                else if (isType)
                    type = JsonText.Read(ref reader);
                else
                    text = JsonText.Read(ref reader);
            }
            return (type, text);
        }
    }
}
