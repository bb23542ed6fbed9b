using Serving.Inference.Checkpoints;
using Serving.Inference.Devices;

namespace Serving.Inference.Cpu;

/// <summary>
/// A model's weights, packed once for any number of backends: a single expert and the ensembles it is a member of compute with
/// the same memory. Freed when its maker has disposed it and the last backend on it is gone.
/// </summary>
/// <remarks>Thread-safe.</remarks>
public sealed class CpuModel : IDisposable
{
    private readonly Holders _holders;

    /// <summary>Reads and packs the weights; the files they come from may be closed afterwards.</summary>
    /// <param name="weights">The model.</param>
    /// <param name="threads">Threads that pack. 0 (default) = one for each processor.</param>
    /// <param name="quantization">Whether matrices keep their precision (default).</param>
    /// <param name="progress">Told the share of the blocks that are packed, 0 to 1; null = nobody asks.</param>
    /// <exception cref="CheckpointException">The weights could not be read.</exception>
    public CpuModel(
        TransformerWeights weights, int threads = 0, Quantization quantization = Quantization.None, IProgress<double>? progress = null)
    {
        ArgumentNullException.ThrowIfNull(weights);
        ArgumentOutOfRangeException.ThrowIfNegative(threads);
        Packed = new PackedModel(weights, quantization, WorkerPool.OfThreads(threads), progress);
        _holders = new Holders(this, Packed.Dispose);
    }

    /// <summary>The weights as kernels read them.</summary>
    internal PackedModel Packed { get; }

    /// <summary>The memory that the weights take, the table included; each piece once, though other models may hold it, too.</summary>
    public IEnumerable<WeightPiece> Pieces => Packed.Pieces;

    /// <summary>Lets go of the weights; backends that stand on them keep them.</summary>
    public void Dispose() => _holders.ReleaseMaker();

    /// <summary>Keeps the weights until <see cref="Release"/>.</summary>
    /// <exception cref="ObjectDisposedException">They are freed already.</exception>
    internal void Hold() => _holders.Hold();

    /// <summary>Ends a hold; the last one frees the weights.</summary>
    internal void Release() => _holders.Release();
}
