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
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? document
                : throw new CheckpointException(path, "file", "a JSON object", $"{document.RootElement.ValueKind}");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new CheckpointException(path, "file", "JSON with each key once", e.Message.TrimEnd('.'), inner: e);
        }
    }
}
