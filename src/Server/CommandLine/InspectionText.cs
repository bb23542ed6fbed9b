using System.Globalization;
using Serving.Glyphs.Embeddings;
using Serving.Inference.Checkpoints;

namespace Serving.Server.CommandLine;

/// <summary>An inspection as people read it: one screen, what belongs together in one line.</summary>
internal static class InspectionText
{
    private const int LabelWidth = 12;
    private const int NamesShown = 8;
    private static readonly string[] Units = ["B", "KiB", "MiB", "GiB", "TiB"];

    public static void Write(TextWriter output, Inspection inspection)
    {
        Line(output, "model", inspection.Path);
        if (inspection.Architecture is { } architecture)
            Write(output, architecture);
        if (inspection.Table is { } table)
            Write(output, table);
        if (inspection.Tokenizer is { } tokenizer)
            Write(output, tokenizer);
        if (inspection.Memory is { } memory)
            Write(output, memory);
        Write(output, inspection.Tensors);
        foreach (string note in inspection.Notes)
            Line(output, "note", note);
    }

    private static void Write(TextWriter output, Inspection.ArchitectureFacts facts)
    {
        Line(output, "parameters", $"{facts.Parameters:N0}, {facts.DType}");
        if (facts.Experts > 1)
            Line(output, "experts", $"{facts.Experts} complete models in one checkpoint; it answers with the mean of their logits");
        Line(output, "blocks", $"{facts.Layers}, width {facts.Width}, {facts.Heads} heads of {facts.HeadSize}, MLP {facts.MlpWidth}, {Word(facts.Activation)}");
        Line(output, "tokens", $"{facts.VocabularySize:N0}, context {facts.ContextTokens:N0}");
        Line(output, "norm", $"{Word(facts.Norm)}, epsilon {facts.NormEpsilon:R}, {(facts.HasFinalNorm ? "and a final one" : "no final one")}");
        Line(output, "positions", $"rotary, {Word(facts.RopePairing)} pairing");
    }

    private static void Write(TextWriter output, Inspection.TableFacts facts)
    {
        string source = facts.Source switch
        {
            TableSource.Checkpoint => $"the checkpoint's own, {facts.File}",
            TableSource.Substrate => $"substrate {facts.File}",
            _ => "no table",
        };
        Line(output, "table", $"{facts.Rows:N0} x {facts.Dimensions}{(facts.Lift is { } lift ? $", {Word(lift)}" : "")}, {Kind(facts)}; {source}");
        Line(output, "", facts.Fingerprint);
    }

    private static void Write(TextWriter output, Inspection.TokenizerFacts facts)
    {
        string end = facts.EndTokenId is { } id ? $", ends with {facts.EndToken} ({id})" : "";
        Line(output, "tokenizer", $"{facts.Kind}, {facts.VocabularySize:N0} tokens{end}, {facts.File}");
        Line(output, "", facts.Fingerprint);
    }

    private static void Write(TextWriter output, Inspection.MemoryFacts facts)
    {
        Line(output, "memory", $"weights {Size(facts.Weights)} ({Size(facts.Disk)} on disk), K/V {Size(facts.KvDefault)} by default");
        Line(output, "", $"K/V: {Size(facts.KvBlock)} a block of {facts.KvBlockTokens} tokens, {Size(facts.KvSequence)} a full context");
    }

    private static void Write(TextWriter output, CheckpointContents contents)
    {
        string label = "tensors";
        foreach (TensorGroup group in contents.Groups)
        {
            string shape = $"[{string.Join(", ", group.Shape)}]";
            string count = group.Count == 1 ? "" : $" x {group.Count}";
            Line(output, label, $"{group.Role,-22} {group.DType,-4} {shape + count,-20} {group.First}");
            label = "";
        }

        Names(output, "unused", contents.Unused);
        Names(output, "unknown", contents.Unknown);
        Names(output, "missing", contents.Missing);
    }

    private static void Names(TextWriter output, string label, IReadOnlyList<string> names)
    {
        foreach (string name in names.Take(NamesShown))
        {
            Line(output, label, name);
            label = "";
        }

        if (names.Count > NamesShown)
            Line(output, "", $"and {names.Count - NamesShown} more; --json lists all");
    }

    // Names come from files: whatever would move the cursor is shown as a question mark.
    internal static void Line(TextWriter output, string label, string text) =>
        output.WriteLine($"{label.PadRight(LabelWidth)}{string.Concat(text.Select(c => char.IsControl(c) ? '?' : c))}".TrimEnd());

    private static string Kind(Inspection.TableFacts facts) => (facts.Kind, facts.IsFrozen) switch
    {
        (TableKind.Glyph, _) => $"glyph pictures, recipe {facts.Recipe}",
        (TableKind.Binary, _) => facts.IsTokenId ? "binary, the digits of the token id" : "binary codes",
        (TableKind.None, _) => facts.IsMapped ? "the digits of the token id through an affine map over GF(2)" : "the digits of the token id",
        (_, true) => "vectors of length 1, frozen",
        _ => "trained vectors, not frozen",
    };

    private static string Word(Enum value) => value.ToString().ToLowerInvariant();

    internal static string Size(long bytes)
    {
        double size = bytes;
        int unit = 0;
        for (; size >= 1024 && unit < Units.Length - 1; unit++)
            size /= 1024;
        return string.Create(CultureInfo.InvariantCulture, $"{size:0.##} {Units[unit]}");
    }
}
