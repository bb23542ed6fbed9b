using System.Runtime.InteropServices;
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

    /// <summary>Writes the folder, creating it; existing files of these names are replaced. Rows are written as they are computed,
    /// and never in memory all at once.</summary>
    /// <param name="table">The table.</param>
    /// <param name="tokenizerPath">Copied into the folder as <c>tokenizer.json</c>.</param>
    /// <param name="folder">Where to.</param>
    /// <param name="progress">Told the bytes written, and of all.</param>
    /// <returns>The table's fingerprint.</returns>
    public static string Write(GlyphTable table, string tokenizerPath, string folder, IProgress<(long Done, long Total)>? progress = null)
    {
        Directory.CreateDirectory(folder);
        var file = new SafetensorsWriter();
        file.Add("embeddings", DType.F32, [table.Rows, table.Dimensions], output => table.ForEachSlice(rows => output.Write(MemoryMarshal.AsBytes(rows))));
        file.Add("bits", DType.U8, [table.Bits.Rows, table.Bits.Columns / 8], output => output.Write(table.Bits.Bytes));
        file.Save(Path.Combine(folder, "table.safetensors"), progress);
        string fingerprint = file.FingerprintOf("embeddings");
        WriteDescription(table, fingerprint, Path.Combine(folder, "table.json"));

        string tokenizer = Path.Combine(folder, "tokenizer.json");
        if (Path.GetFullPath(tokenizerPath) != Path.GetFullPath(tokenizer)) File.Copy(tokenizerPath, tokenizer, overwrite: true);
        return fingerprint;
    }

    private static void WriteDescription(GlyphTable table, string fingerprint, string path)
    {
        using FileStream file = File.Create(path);
        using var json = new Utf8JsonWriter(file, Indented);
        json.WriteStartObject();
        json.WriteString("recipe", table.Recipe.Name);
        json.WriteNumber("cell_pixels", table.Recipe.CellPixels);
        json.WriteString("font", table.Font);
        json.WriteNumber("rows", table.Rows);
        json.WriteNumber("dimensions", table.Dimensions);
        json.WriteString("fingerprint", fingerprint);
        json.WriteStartArray("explained_variance");
        foreach (double variance in table.Components.ExplainedVariance) json.WriteNumberValue(variance);
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
