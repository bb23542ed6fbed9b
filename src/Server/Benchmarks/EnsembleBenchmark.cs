using System.Diagnostics;
using Serving.Inference;
using Serving.Inference.Cpu;
using Serving.Inference.Ensembles;

namespace Serving.Server.Benchmarks;

/// <summary>
/// What an ensemble costs over its members: decoding steps of each member alone, of all members in turns, and of the ensemble. All
/// phases take part in every round, so that a machine that is faster or slower for a while is so for all of them; figures are
/// medians of the rounds, ratios medians of each round's own.
/// </summary>
/// <remarks>In turns is what the members cost by themselves when nobody lets one have the processor's caches alone: steps of the
/// first, the second and so on, then again.</remarks>
internal sealed class EnsembleBenchmark : IDisposable
{
    private const int Rounds = 31;
    private const int Steps = 24;
    private const int PromptTokens = 64;
    private const int MaxRows = 8;

    // Until then the runtime recompiles what runs often.
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(2);

    /// <summary>The batch sizes that tell most: one sequence, and a few.</summary>
    public static IReadOnlyList<int> Rows { get; } = [1, MaxRows];

    private readonly CpuBackend[] _members;
    private readonly LogitEnsemble _ensemble;
    private readonly LogitEnsemble _still;
    private readonly ForwardBatch _batch = new();
    private readonly float[] _logits;
    private readonly Random _random = new(7);

    /// <param name="models">The members' weights, one vocabulary; the caller's to dispose.</param>
    /// <param name="threads">Threads that compute; 0 = one for each processor.</param>
    public EnsembleBenchmark(IReadOnlyList<CpuModel> models, int threads)
    {
        var options = new CpuOptions { Threads = threads, KvBlocks = MaxRows * BlocksPerRow };
        _members = [.. models.Select(model => new CpuBackend(model, options))];
        _ensemble = new LogitEnsemble([.. models.Select((model, i) => new EnsembleMember($"{i}", new CpuBackend(model, options)))]);
        _still = new LogitEnsemble([.. _members.Select((member, i) => new EnsembleMember($"{i}", new StillBackend(member.Shape, member.Kv, i)))]);
        _logits = new float[MaxRows * _ensemble.Shape.VocabularySize];
    }

    private static int BlocksPerRow => (PromptTokens + Steps + CpuMemory.BlockTokens - 1) / CpuMemory.BlockTokens;

    /// <summary>The rates of batches of this many sequences, 1 to 8.</summary>
    public BenchReport.EnsembleRates Measure(int rows)
    {
        var logits = new Blend(_members.Select(_ => 1.0), EnsembleRule.Logits);
        var probabilities = new Blend(_members.Select(_ => 1.0), EnsembleRule.Probabilities);
        Action<int>[] phases =
        [
            .. _members.Select<CpuBackend, Action<int>>(member => step => Step(member, rows, step, null)),
            InTurns,
            step => Step(_ensemble, rows, step, logits),
            step => Step(_ensemble, rows, step, probabilities),
            step => Step(_still, rows, step, logits),
            step => Step(_still, rows, step, probabilities),
        ];
        for (long start = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(start) < WarmUp;)
            Array.ForEach(phases, phase => Time(phase));
        double[][] seconds = [.. Enumerable.Range(0, Rounds).Select(_ => phases.Select(Time).ToArray())];
        int turns = _members.Length;
        return new BenchReport.EnsembleRates(
            rows,
            [.. Enumerable.Range(0, turns).Select(member => Median(round => round[member]))],
            Median(round => round[turns]),
            Median(round => round[turns + 1]),
            Median(round => round[turns + 2]),
            Median(round => round[turns + 1] / round[turns]),
            Median(round => round[turns + 1] / round[..turns].Sum()),
            Median(round => round[turns + 3] / round[turns + 1]),
            Median(round => round[turns + 4] / round[turns + 2]));

        void InTurns(int step)
        {
            foreach (CpuBackend member in _members)
                Step(member, rows, step, null);
        }

        double Median(Func<double[], double> figure)
        {
            double[] sorted = [.. seconds.Select(figure).Order()];
            return sorted[sorted.Length / 2];
        }
    }

    public void Dispose()
    {
        _ensemble.Dispose();
        _still.Dispose();
        foreach (CpuBackend member in _members)
            member.Dispose();
    }

    private static double Time(Action<int> phase)
    {
        phase(0); // what a phase before it left in the caches is not its doing
        long start = Stopwatch.GetTimestamp();
        for (int step = 0; step < Steps; step++)
            phase(step);
        return Stopwatch.GetElapsedTime(start).TotalSeconds / Steps;
    }

    // Keys and values of the prompt were never computed: zeros cost as much to read.
    private void Step(IBackend backend, int rows, int step, Blend? blend)
    {
        _batch.Clear();
        for (int row = 0; row < rows; row++)
        {
            List<int> blocks = [.. Enumerable.Range(row * BlocksPerRow, BlocksPerRow)];
            _batch.Add([_random.Next(backend.Shape.VocabularySize)], PromptTokens + step, blocks, 1, blend: blend);
        }
        backend.Forward(_batch, _logits);
    }

    // Answers at once and always the same, so that an ensemble of such does nothing but average.
    private sealed class StillBackend(ModelShape shape, KvCapacity kv, int seed) : IBackend
    {
        private int _filled;

        public ModelShape Shape => shape;

        public KvCapacity Kv => kv;

        public void Forward(ForwardBatch batch, Span<float> logits)
        {
            if (logits.Length <= _filled)
                return;
            _filled = logits.Length;
            var random = new Random(seed);
            foreach (ref float logit in logits)
                logit = 10 * random.NextSingle();
        }

        public void Dispose()
        {
        }
    }
}
