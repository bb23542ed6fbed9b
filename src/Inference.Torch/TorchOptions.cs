using Serving.Inference.Cpu;

namespace Serving.Inference.Torch;

/// <summary>How a <see cref="TorchDevice"/> is used.</summary>
public sealed record TorchOptions
{
    /// <summary>Threads of the device torch-cpu, for the whole process. 0 (default) = libtorch's own choice.</summary>
    public int Threads { get; init; }

    /// <summary>K/V blocks of 16 tokens. 0 (default) = enough for 8 sequences of full length.</summary>
    public int KvBlocks { get; init; }

    /// <summary>What matrices are held as.</summary>
    public Precision Precision { get; init; }

    /// <summary>Must be <see cref="Quantization.None"/>: whole numbers are the CPU backend's alone.</summary>
    public Quantization Quantization { get; init; }
}
