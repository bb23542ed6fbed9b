using System.Text.Json;
using System.Text.Unicode;

namespace Serving.Inference.Checkpoints;

/// <summary>Small JSON files of a model folder: valid UTF-8, an object, no key twice, at most 64 MiB.</summary>
internal static class JsonFile
{
    private const int MaxBytes = 64 << 20;
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = 32 };

    /// <summary>Reads an object.</summary>
    public static JsonDocument Read(string path)
    {
        byte[] bytes = FileBytes.ReadAll(path, MaxBytes);

        // JsonDocument itself takes invalid UTF-8 and fails much later.
        if (!Utf8.IsValid(bytes))
            throw new CheckpointException(path, "file", "UTF-8", "invalid bytes");
        try
        {
            var document = JsonDocument.Parse(bytes, Strict);
            DecodeStrings(document.RootElement);
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? document
                : throw new CheckpointException(path, "file", "a JSON object", $"{document.RootElement.ValueKind}");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new CheckpointException(path, "file", "JSON with each key once", e.Message.TrimEnd('.'), inner: e);
        }
    }

    // A lone surrogate shows only when its string is decoded: here, where the fault can still be named.
    private static void DecodeStrings(JsonElement element)
    {
        if (element.ValueKind == JsonValueKind.String)
            _ = element.GetString();
        else if (element.ValueKind == JsonValueKind.Array)
        {
            foreach (JsonElement item in element.EnumerateArray())
                DecodeStrings(item);
        }
        else if (element.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty property in element.EnumerateObject())
            {
                _ = property.Name;
                DecodeStrings(property.Value);
            }
        }
    }
}
