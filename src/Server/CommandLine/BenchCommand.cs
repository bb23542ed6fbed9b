using System.CommandLine;
using Serving.Inference.Cpu;
using Serving.Server.Benchmarks;

namespace Serving.Server.CommandLine;

internal static class BenchCommand
{
    private static readonly Option<string?> Shape = new("--shape") { Description = "Shape" };

    public static Command Create()
    {
        var command = new Command("bench", "bench") { Shape };
        command.SetAction(Run);
        return command;
    }

    private static int Run(ParseResult parsed)
    {
        BenchShape shape = BenchShape.All.First(s => s.Name == parsed.GetValue(Shape));
        Console.WriteLine($"read {MemoryBandwidth.Measure() / 1e9:0.0} GB/s");
        using var model = new CpuModel(RandomModel.Of(shape), 0, Environment.GetEnvironmentVariable("Q8") is null ? Quantization.None : Quantization.EightBits);
        using var backend = new CpuBackend(model, new CpuOptions { KvBlocks = ModelBenchmark.BlocksNeeded(16) });
        GC.Collect();
        var bench = new ModelBenchmark(backend);
        Console.WriteLine($"prefill {bench.Prefill():0.0}");
        Console.WriteLine($"decode {bench.Decode():0.0}");
        foreach (int rows in Environment.GetEnvironmentVariable("ROWS") is { } r ? r.Split(',').Select(int.Parse).ToArray() : new[] { 2, 4, 8, 16, 32 })
            Console.WriteLine($"decode {rows}: {bench.BatchedDecode(rows):0.0}");
        return 0;
    }
}
