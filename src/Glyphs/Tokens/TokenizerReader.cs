using System.Text.Json;
using System.Text.Unicode;

namespace Serving.Glyphs.Tokens;

/// <summary>Reads a <c>tokenizer.json</c>, and refuses what this tokenizer would get wrong.</summary>
internal static class TokenizerReader
{
    private static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];

    public static TokenizerContent Read(string path)
    {
        ReadOnlyMemory<byte> bytes = ReadText(path);
        try
        {
            using var json = JsonDocument.Parse(bytes);
            return ReadContent(new(path, "", json.RootElement));
        }
        catch (JsonException exception)
        {
            string where = $"line {exception.LineNumber + 1}, byte {exception.BytePositionInLine + 1}";
            throw new TokenizerFormatException(path, where, "JSON", exception.Message, exception);
        }
    }

    private static TokenizerContent ReadContent(JsonPlace root)
    {
        root.RequireOnly("version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor",
            "decoder", "model");
        foreach (string key in (ReadOnlySpan<string>)["truncation", "padding"])
            if (!root[key].IsNull) throw root[key].Refuse("null: a text is never cut or padded");
        BytePairModel model = BytePairModelReader.Read(root["model"]);
        AddedTokens addedTokens = AddedTokensReader.Read(root["added_tokens"], model.Vocabulary);
        bool IsToken(int id) => (model.Vocabulary.Text(id) ?? addedTokens.Text(id)) is not null;
        return new(model, addedTokens, TextPipelineReader.Read(root, IsToken));
    }

    /// <summary>The JSON parser would take broken UTF-8 and fail on it much later.</summary>
    private static ReadOnlyMemory<byte> ReadText(string path)
    {
        ReadOnlyMemory<byte> bytes = ReadFile(path);
        if (bytes.Span.StartsWith(ByteOrderMark)) bytes = bytes[ByteOrderMark.Length..];
        if (Utf8.IsValid(bytes.Span)) return bytes;
        Utf8.ToUtf16(bytes.Span, new char[bytes.Length], out int valid, out _, replaceInvalidSequences: false);
        throw new TokenizerFormatException(path, $"byte {valid}", "UTF-8", $"the byte 0x{bytes.Span[valid]:X2}");
    }

    private static byte[] ReadFile(string path)
    {
        try
        {
            return File.ReadAllBytes(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new TokenizerFormatException(path, "file", "a tokenizer.json that can be read", exception.Message, exception);
        }
    }
}
