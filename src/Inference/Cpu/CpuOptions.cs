using Serving.Inference.Cpu.Kernels;

namespace Serving.Inference.Cpu;

/// <summary>How a <see cref="CpuBackend"/> uses the machine.</summary>
public sealed record CpuOptions
{
    /// <summary>Threads that compute, the engine's own included. 0 (default) = one for each processor. Backends with the same
    /// number share them.</summary>
    public int Threads { get; init; }

    /// <summary>K/V blocks of 16 tokens. 0 (default) = enough for 8 sequences of full length, but of no more than
    /// 65,536 tokens if that is enough for one.</summary>
    public int KvBlocks { get; init; }

    /// <summary>Whether matrices keep their precision (default); for whoever packs the weights.</summary>
    public Quantization Quantization { get; init; }

    /// <summary>The kernels; null (default) = the fastest that the machine has.</summary>
    internal KernelSet? Kernels { get; init; }
}
