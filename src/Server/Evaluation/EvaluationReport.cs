using System.Globalization;
using System.Text.Json;
using Serving.Server.Json;

namespace Serving.Server.Evaluation;

/// <summary>All results of an evaluation, written as a table for people, as Markdown or as JSON.</summary>
internal sealed record EvaluationReport(IReadOnlyList<TextResult> Texts, IReadOnlyList<ChoiceResult> Tasks)
{
    public void WriteJson(TextWriter output) => output.WriteLine(JsonSerializer.Serialize(this, ReportJson.Options));

    public void WriteMarkdown(TextWriter output) => WriteTables(output, (rows, _) =>
    {
        output.WriteLine($"| {string.Join(" | ", rows[0])} |");
        output.WriteLine($"|{string.Concat(rows[0].Select(_ => "---|"))}");
        foreach (string[] row in rows.Skip(1))
            output.WriteLine($"| {string.Join(" | ", row)} |");
    });

    public void WriteTable(TextWriter output) => WriteTables(output, (rows, widths) =>
    {
        foreach (string[] row in rows)
            output.WriteLine(string.Join("  ", row.Select((cell, i) => i < 2 ? cell.PadRight(widths[i]) : cell.PadLeft(widths[i]))).TrimEnd());
    });

    private void WriteTables(TextWriter output, Action<List<string[]>, int[]> write)
    {
        foreach (List<string[]> rows in (List<string[]>[])[TextRows(), TaskRows()])
        {
            if (rows.Count == 1)
                continue;
            write(rows, [.. rows[0].Select((_, column) => rows.Max(row => row[column].Length))]);
            output.WriteLine();
        }
    }

    private List<string[]> TextRows() =>
    [
        ["model", "text", "bits per character", "perplexity", "tokens", "unknown"],
        .. Texts.Select(result => (string[])[result.Model, result.Text, Show(result.BitsPerCharacter, "0.0000"),
            Show(result.Perplexity, "0.00"), Show(result.Tokens, "0"), Show(result.UnknownTokens, "0")]),
    ];

    private List<string[]> TaskRows() =>
    [
        ["model", "task", "sampled %", "likeliest %", "chance %", "questions", "skipped"],
        .. Tasks.Select(result => (string[])[result.Model, result.Task, Percent(result.Sampled), Percent(result.Likeliest),
            Show(100 * result.Chance, "0.0"), Show(result.Questions, "0"), Show(result.Skipped, "0")]),
    ];

    private static string Percent(Estimate? share) =>
        share is { } given ? Show(new Estimate(100 * given.Value, 100 * given.Margin), "0.00") : "-";

    private static string Show(Estimate estimate, string format) => double.IsFinite(estimate.Margin)
        ? $"{Show(estimate.Value, format)} ± {Show(estimate.Margin, format)}"
        : Show(estimate.Value, format);

    private static string Show(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
