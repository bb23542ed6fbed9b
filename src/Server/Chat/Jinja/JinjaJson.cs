using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text;

namespace Serving.Server.Chat.Jinja;

/// <summary>Values of templates as JSON.</summary>
internal static class JinjaJson
{
    public static string Write(object? value, int? indent)
    {
        using var stream = new MemoryStream();
        var options = new JsonWriterOptions
        {
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
            Indented = indent is not null,
            IndentSize = Math.Clamp(indent ?? 2, 0, 16),
            NewLine = "\n",
        };
        using (var writer = new Utf8JsonWriter(stream, options))
            Write(value, writer);
        return Encoding.UTF8.GetString(stream.GetBuffer(), 0, (int)stream.Length);
    }

    private static void Write(object? value, Utf8JsonWriter writer)
    {
        switch (value)
        {
            case List<object?> list:
                writer.WriteStartArray();
                list.ForEach(item => Write(item, writer));
                writer.WriteEndArray();
                break;
            case Dictionary<string, object?> dictionary:
                writer.WriteStartObject();
                foreach ((string name, object? item) in dictionary)
                {
                    writer.WritePropertyName(name);
                    Write(item, writer);
                }
                writer.WriteEndObject();
                break;
            case string text:
                writer.WriteStringValue(text);
                break;
            case bool flag:
                writer.WriteBooleanValue(flag);
                break;
            case long number:
                writer.WriteNumberValue(number);
                break;
            case double number:
                writer.WriteNumberValue(number);
                break;
            default:
                writer.WriteNullValue();
                break;
        }
    }
}
