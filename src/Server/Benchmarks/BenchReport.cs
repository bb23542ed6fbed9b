namespace Serving.Server.Benchmarks;

/// <summary>What <c>bench</c> measured. Rates are tokens a second; sections that were not measured are null.</summary>
internal sealed record BenchReport
{
    /// <summary>What was measured: a shape, a model's id or a server's address.</summary>
    public required string Subject { get; init; }

    public required string Date { get; init; }

    public required MachineFacts Machine { get; init; }

    public ModelRates? Model { get; init; }

    /// <summary>Of an ensemble, at several batch sizes.</summary>
    public IReadOnlyList<EnsembleRates>? Ensemble { get; init; }

    public required IReadOnlyList<LoadResult> Served { get; init; }

    /// <summary>Where it ran.</summary>
    internal sealed record MachineFacts(string Processor, int Processors, string Arithmetic, string Runtime)
    {
        public static MachineFacts Here(string arithmetic) => new(
            ProcessorName(), Environment.ProcessorCount, arithmetic,
            System.Runtime.InteropServices.RuntimeInformation.FrameworkDescription);

        private static string ProcessorName()
        {
            const string Path = "/proc/cpuinfo", Key = "model name";
            string? line = File.Exists(Path) ? File.ReadLines(Path).FirstOrDefault(line => line.StartsWith(Key, StringComparison.Ordinal)) : null;
            return line is null ? "unknown" : line[(line.IndexOf(':') + 1)..].Trim();
        }
    }

    /// <summary>The model by itself: rates in tokens a second. A decoding step of one sequence reads MatrixBytes; DecodeShare is how
    /// fast, by what a plain streaming read reaches just before. These are told of this machine's processors alone.</summary>
    internal sealed record ModelRates(
        string? Quantization, long? MatrixBytes, double? ReadBytesPerSecond, double Prefill, double Decode, double? DecodeShare,
        IReadOnlyDictionary<int, double> BatchedDecode);

    /// <summary>Decoding steps of an ensemble and of its members, in seconds. The ratios are those of the logit mean's step: over the
    /// members in turns, and over the sum of each alone, which a cache may hold by itself. The shares are what averaging takes of
    /// a step, with its search for values that are not finite.</summary>
    internal sealed record EnsembleRates(
        int Rows, IReadOnlyList<double> Alone, double InTurns, double Logits, double Probabilities, double OverInTurns, double OverAlone,
        double LogitsShare, double ProbabilitiesShare);
}
