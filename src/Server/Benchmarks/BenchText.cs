using System.Globalization;

namespace Serving.Server.Benchmarks;

/// <summary>A report for people.</summary>
internal static class BenchText
{
    private const string Definitions = """
        prefill: tokens a second of one 512-token prompt. decode: tokens a second, 64 steps, after a prompt of 64 tokens where there
        are several rows. Medians of 5 runs. Served: generated tokens by the time from the first request sent to the last answer's
        end; TTFT = request sent to first token; TPOT = (last - first token) / (tokens - 1), per request; ITL = time between two
        pieces of an answer. Members alone: each keeps the processor's caches; in turns: one step of each, over and over.
        """;

    public static void Write(TextWriter output, BenchReport report)
    {
        (string processor, int processors, string instructions, string runtime) = report.Machine;
        output.WriteLine($"{report.Subject} on {processors} x {processor}, {instructions}, {runtime}, {report.Date}");
        if (report.Model is { } model)
            Write(output, model);
        foreach (BenchReport.EnsembleRates ensemble in report.Ensemble ?? [])
            Write(output, ensemble);
        foreach (LoadResult load in report.Served)
            Write(output, load);
        output.WriteLine();
        output.WriteLine(Definitions);
    }

    private static void Write(TextWriter output, BenchReport.ModelRates model)
    {
        Line(output, "matrices", model.MatrixBytes / 1e6, "MB", $"quantization: {model.Quantization}");
        Line(output, "memory read", model.ReadBytesPerSecond / 1e9, "GB/s", "all threads, plain streaming read");
        Line(output, "prefill 512", model.Prefill, "tok/s");
        Line(output, "decode", model.Decode, "tok/s", string.Create(CultureInfo.InvariantCulture,
            $"{model.Decode * model.MatrixBytes / 1e9:0.0} GB/s of weights, {model.DecodeShare:0%} of a plain read"));
        foreach ((int rows, double rate) in model.BatchedDecode)
            Line(output, $"decode, {rows} rows", rate, "tok/s");
    }

    private static void Write(TextWriter output, BenchReport.EnsembleRates rates)
    {
        output.WriteLine($"a decoding step of {rates.Rows} rows");
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"  {"members alone",-18}{string.Join(" + ", rates.Alone.Select(seconds => $"{seconds * 1e6:0}"))} us"));
        Line(output, "  in turns", rates.InTurns * 1e6, "us");
        Line(output, "  mean of logits", rates.Logits * 1e6, "us", string.Create(CultureInfo.InvariantCulture,
            $"{rates.OverInTurns:0.00} of in turns, {rates.OverAlone:0.00} of alone; averaging {rates.LogitsShare:0.0%}"));
        Line(output, "  of probabilities", rates.Probabilities * 1e6, "us", string.Create(CultureInfo.InvariantCulture,
            $"averaging {rates.ProbabilitiesShare:0.0%}"));
    }

    private static void Write(TextWriter output, LoadResult load)
    {
        output.WriteLine($"served: {load.Load}");
        Line(output, "  generated", load.GeneratedTokensPerSecond, "tok/s");
        Line(output, "  TTFT", load.TimeToFirstToken);
        Line(output, "  TPOT", load.TimePerOutputToken);
        Line(output, "  ITL", load.InterTokenLatency);
    }

    private static void Line(TextWriter output, string name, Percentiles times) => output.WriteLine(string.Create(
        CultureInfo.InvariantCulture, $"{name,-20}p50 {times.P50,9:0.0} ms   p95 {times.P95,9:0.0} ms   p99 {times.P99,9:0.0} ms"));

    private static void Line(TextWriter output, string name, double value, string unit, string remark = "") =>
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name,-20}{value,10:#,0.0} {unit,-6} {remark}").TrimEnd());
}
