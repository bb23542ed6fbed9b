using Serving.Glyphs.Tokens;
using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu;
using Serving.Inference.Scheduling;
using Serving.Server.Models;

namespace Serving.Server.Benchmarks;

/// <summary>A model to measure: by itself, then behind an engine.</summary>
internal sealed class BenchModel : IDisposable
{
    private static readonly int[] BatchRows = [8, 16, 32];

    private readonly CpuMemory _memory;
    private readonly Tokenizer _tokenizer;
    private readonly Quantization _quantization;
    private readonly int _threads;

    private BenchModel(string name, TransformerWeights weights, Tokenizer tokenizer, Quantization quantization, int threads)
    {
        (Name, _tokenizer, _quantization, _threads) = (name, tokenizer, quantization, threads);
        _memory = CpuMemory.Of(weights, quantization);
        Weights = new CpuModel(weights, threads, quantization);
    }

    public string Name { get; }

    public CpuModel Weights { get; }

    public static BenchModel OfShape(BenchShape shape, Quantization quantization, int threads, int seed = 1)
    {
        var model = new BenchModel(shape.Name, RandomModel.Of(shape, (ulong)seed), BenchTokenizer.OfSize(shape.VocabularySize), quantization, threads);
        GC.Collect();
        return model;
    }

    public static BenchModel OfCheckpoint(ModelEntry entry, Quantization quantization, int threads)
    {
        using LoadedModel model = LoadedModel.Load(entry.Root, entry.Folder);
        return new BenchModel(entry.Id, model.Weights, Tokenizer.Load(model.TokenizerPath), quantization, threads);
    }

    public BenchReport.ModelRates Measure()
    {
        double read = MemoryBandwidth.Measure(_threads);
        using var backend = new CpuBackend(Weights, new CpuOptions
        {
            Threads = _threads,
            KvBlocks = ModelBenchmark.BlocksNeeded(CpuMemory.BlockTokens),
        });
        var benchmark = new ModelBenchmark(backend);
        double prefill = benchmark.Prefill(), decode = benchmark.Decode();
        return new BenchReport.ModelRates(
            CommandLine.CommonOptions.NameOf(_quantization), _memory.MatrixBytes, read, prefill, decode,
            decode * _memory.MatrixBytes / read, BatchRows.ToDictionary(rows => rows, benchmark.BatchedDecode));
    }

    public async Task<IReadOnlyList<LoadResult>> ServeAsync(Func<ServedLoad, Task<IReadOnlyList<LoadResult>>> run)
    {
        using var backend = new CpuBackend(Weights, new CpuOptions { Threads = _threads });
        await using var engine = new Engine(backend, _tokenizer, new EngineOptions());
        return await run(new ServedLoad(new EngineTarget(engine).SendAsync, backend.Shape.VocabularySize));
    }

    public void Dispose() => Weights.Dispose();
}
