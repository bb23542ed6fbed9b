namespace Serving.Inference.Cpu.Kernels;

/// <summary>How keys and values are stored.</summary>
internal enum KvFormat
{
    /// <summary><see cref="KvF32"/>.</summary>
    F32,

    /// <summary><see cref="KvBf16"/>.</summary>
    BF16,
}
