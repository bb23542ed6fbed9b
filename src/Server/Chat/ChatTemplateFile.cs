using System.Text.Json;
using Serving.Server.Chat.Jinja;

namespace Serving.Server.Chat;

/// <summary>Finds a model's own chat template: <c>chat_template.jinja</c>, or <c>chat_template</c> in <c>tokenizer_config.json</c>.</summary>
internal static class ChatTemplateFile
{
    private const int MaxBytes = 1 << 20;

    /// <param name="folder">The checkpoint's folder.</param>
    /// <returns>The template; null when there is none. When it cannot be used, the second value says why, and chat goes by the plain
    /// template.</returns>
    public static (ChatTemplate? Template, string? Fault) Read(string folder)
    {
        try
        {
            return SourceOf(folder) is { } source ? (ChatTemplate.Parse(source), null) : (null, null);
        }
        catch (Exception fault) when (fault is JinjaException or JsonException or IOException or InvalidDataException)
        {
            return (null, fault.Message);
        }
    }

    private static string? SourceOf(string folder)
    {
        if (ReadText(Path.Combine(folder, "chat_template.jinja")) is { } file)
            return file;
        if (ReadText(Path.Combine(folder, "tokenizer_config.json")) is not { } json)
            return null;
        using JsonDocument document = JsonDocument.Parse(json);
        return document.RootElement.ValueKind == JsonValueKind.Object
            && document.RootElement.TryGetProperty("chat_template", out JsonElement template) ? SourceOf(template) : null;
    }

    // Several templates have names; the one to use is called default.
    private static string? SourceOf(JsonElement template) => template.ValueKind switch
    {
        JsonValueKind.String => template.GetString(),
        JsonValueKind.Array => template.EnumerateArray()
            .Where(named => named.ValueKind == JsonValueKind.Object && named.TryGetProperty("name", out JsonElement name)
                && name.ValueKind == JsonValueKind.String && name.ValueEquals("default"))
            .Select(named => named.TryGetProperty("template", out JsonElement source) ? source.GetString() : null).FirstOrDefault(),
        JsonValueKind.Null => null,
        _ => throw new InvalidDataException("'chat_template' of tokenizer_config.json is neither a text nor a list."),
    };

    private static string? ReadText(string path)
    {
        var file = new FileInfo(path);
        if (!file.Exists)
            return null;
        return file.Length <= MaxBytes
            ? File.ReadAllText(path)
            : throw new InvalidDataException($"{file.Name} has {file.Length} bytes; at most {MaxBytes} are read.");
    }
}
