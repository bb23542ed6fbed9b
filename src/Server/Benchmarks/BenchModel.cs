using Serving.Glyphs.Tokens;
using Serving.Inference;
using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu;
using Serving.Inference.Devices;
using Serving.Inference.Scheduling;
using Serving.Server.CommandLine;
using Serving.Server.Models;

namespace Serving.Server.Benchmarks;

/// <summary>A model to measure: by itself, then behind an engine.</summary>
internal sealed class BenchModel : IDisposable
{
    private const int Pairs = 3;

    private static readonly int[] BatchRows = [8, 16, 32];
    private static readonly int[] WideBatchRows = [8, 32, 128];

    private readonly IDevice _device;
    private readonly CpuMemory _memory;
    private readonly Tokenizer _tokenizer;
    private readonly CpuOptions _cpu;

    private BenchModel(string name, IReadOnlyList<TransformerWeights> experts, Tokenizer tokenizer, IDevice device, CpuOptions cpu)
    {
        (Name, _tokenizer, _device, _cpu) = (name, tokenizer, device, cpu);
        _memory = CpuMemory.Of(experts, cpu.Quantization);
        Weights = device.Load(name, experts);
    }

    public string Name { get; }

    /// <summary>Its weights.</summary>
    public IExperts Weights { get; }

    /// <param name="shape">Random weights of this shape.</param>
    /// <param name="device">Where it computes.</param>
    /// <param name="cpu">How the device was opened, where it is this machine's processors.</param>
    /// <param name="seed">Of the weights.</param>
    public static BenchModel OfShape(BenchShape shape, IDevice device, CpuOptions cpu, int seed = 1)
    {
        var model = new BenchModel(shape.Name, [RandomModel.Of(shape, (ulong)seed)], BenchTokenizer.OfSize(shape.VocabularySize), device, cpu);
        GC.Collect();
        return model;
    }

    public static BenchModel OfCheckpoint(ModelEntry entry, IDevice device, CpuOptions cpu)
    {
        using LoadedModel model = LoadedModel.Load(entry.Root, entry.Folder);
        if (model.Weights.ContextTokens is var context && context < ModelBenchmark.BatchPromptTokens + ModelBenchmark.DecodeTokens)
        {
            throw new CommandLineException(ExitCode.Usage, $"The model '{entry.Id}' has a context of {context} tokens, too short to measure.", entry.Folder.Path,
                $"Name one of at least {ModelBenchmark.BatchPromptTokens + ModelBenchmark.DecodeTokens} tokens.");
        }
        return new BenchModel(entry.Id, model.Experts, Tokenizer.Load(model.TokenizerPath), device, cpu);
    }

    public BenchReport.ModelRates Measure()
    {
        bool isCpu = _device is CpuDevice;
        int[] batchRows = isCpu ? BatchRows : WideBatchRows;
        using IBackend backend = Weights.NewBackend(ModelBenchmark.BlocksNeeded(CpuMemory.BlockTokens, batchRows[^1]));
        var benchmark = new ModelBenchmark(backend, batchRows[^1]);
        double prefill = benchmark.Prefill();
        // In turns: the memory of a shared machine is faster at one moment than at another.
        (double Read, double Decode)[] pairs = [.. Enumerable.Range(0, Pairs).Select(_ => (isCpu ? MemoryBandwidth.Measure(_cpu.Threads) : 0, benchmark.Decode()))];
        return new BenchReport.ModelRates(
            isCpu ? CommonOptions.NameOf(_cpu.Quantization) : null,
            isCpu ? _memory.MatrixBytes : null,
            isCpu ? Median(pairs.Select(pair => pair.Read)) : null,
            prefill,
            Median(pairs.Select(pair => pair.Decode)),
            isCpu ? Median(pairs.Select(pair => pair.Decode * _memory.MatrixBytes / pair.Read)) : null,
            batchRows.ToDictionary(rows => rows, benchmark.BatchedDecode));
    }

    private static double Median(IEnumerable<double> values) => values.Order().ElementAt(Pairs / 2);

    public async Task<IReadOnlyList<LoadResult>> ServeAsync(Func<ServedLoad, Task<IReadOnlyList<LoadResult>>> run)
    {
        using IBackend backend = Weights.NewBackend();
        await using var engine = new Engine(backend, _tokenizer, new EngineOptions());
        return await run(new ServedLoad(new EngineTarget(engine).SendAsync, backend.Shape.VocabularySize));
    }

    public void Dispose() => Weights.Dispose();
}
