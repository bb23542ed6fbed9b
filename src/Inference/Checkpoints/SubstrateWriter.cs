using System.Text.Encodings.Web;
using System.Text.Json;
using Serving.Glyphs.Embeddings;

namespace Serving.Inference.Checkpoints;

/// <summary>
/// Writes a glyph table as a substrate folder, which checkpoints name by the table's fingerprint: <c>table.safetensors</c>
/// (<c>embeddings</c> [tokens, dimensions] f32, <c>bits</c> [tokens, G² / 8] u8) and <c>table.json</c>, beside the tokenizer.
/// </summary>
public static class SubstrateWriter
{
    private static readonly JsonWriterOptions Indented =
        new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes the folder, creating it; existing files of these names are replaced.</summary>
    /// <param name="table">The table.</param>
    /// <param name="tokenizerPath">Copied into the folder as <c>tokenizer.json</c>.</param>
    /// <param name="folder">Where to.</param>
    public static void Write(GlyphTable table, string tokenizerPath, string folder)
    {
        Directory.CreateDirectory(folder);
        var file = new SafetensorsWriter();
        file.Add("embeddings", DType.F32, [table.Table.Rows, table.Table.Dimensions], table.Table.WriteFloats);
        file.Add("bits", DType.U8, [table.Bits.Rows, table.Bits.Columns / 8], output => output.Write(table.Bits.Bytes));
        file.Save(Path.Combine(folder, "table.safetensors"));
        WriteDescription(table, Path.Combine(folder, "table.json"));

        string tokenizer = Path.Combine(folder, "tokenizer.json");
        if (Path.GetFullPath(tokenizerPath) != Path.GetFullPath(tokenizer)) File.Copy(tokenizerPath, tokenizer, overwrite: true);
    }

    private static void WriteDescription(GlyphTable table, string path)
    {
        using FileStream file = File.Create(path);
        using var json = new Utf8JsonWriter(file, Indented);
        json.WriteStartObject();
        json.WriteString("recipe", table.Recipe.Name);
        json.WriteNumber("cell_pixels", table.Recipe.CellPixels);
        json.WriteString("font", table.Font);
        json.WriteNumber("rows", table.Table.Rows);
        json.WriteNumber("dimensions", table.Table.Dimensions);
        json.WriteString("fingerprint", table.Table.Fingerprint);
        json.WriteStartArray("explained_variance");
        foreach (double variance in table.Components.ExplainedVariance) json.WriteNumberValue(variance);
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
