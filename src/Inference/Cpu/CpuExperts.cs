using Serving.Inference.Checkpoints;
using Serving.Inference.Ensembles;

namespace Serving.Inference.Cpu;

/// <summary>A checkpoint's weights, packed: one expert, or several that answer with the mean of their logits.</summary>
/// <remarks>Thread-safe.</remarks>
public sealed class CpuExperts : IDisposable
{
    private readonly string[] _names;
    private readonly List<CpuModel> _models = [];

    /// <summary>Reads and packs the weights; the checkpoint may be closed afterwards.</summary>
    /// <param name="model">The checkpoint.</param>
    /// <param name="threads">Threads that pack. 0 (default) = one for each processor.</param>
    /// <param name="quantization">Whether matrices keep their precision (default).</param>
    /// <param name="progress">Told the share that is packed, 0 to 1; null = nobody asks.</param>
    /// <exception cref="CheckpointException">The weights could not be read.</exception>
    public CpuExperts(
        LoadedModel model, int threads = 0, Quantization quantization = Quantization.None, IProgress<double>? progress = null)
        : this(model.Id, model.Experts, threads, quantization, progress)
    {
    }

    /// <summary>Reads and packs weights.</summary>
    /// <param name="id">The model, for faults.</param>
    /// <param name="experts">At least one.</param>
    /// <param name="threads">Threads that pack. 0 (default) = one for each processor.</param>
    /// <param name="quantization">Whether matrices keep their precision (default).</param>
    /// <param name="progress">Told the share that is packed, 0 to 1; null = nobody asks.</param>
    /// <exception cref="CheckpointException">The weights could not be read.</exception>
    public CpuExperts(
        string id, IReadOnlyList<TransformerWeights> experts, int threads = 0, Quantization quantization = Quantization.None,
        IProgress<double>? progress = null)
    {
        _names = [.. experts.Select(expert => expert.Name.Length == 0 ? id : $"{id}/{expert.Name}")];
        try
        {
            foreach (TransformerWeights expert in experts)
                _models.Add(new CpuModel(expert, threads, quantization, progress));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The memory that the weights take, tables included; each piece once, though other models may hold it, too.</summary>
    public IEnumerable<WeightPiece> Pieces => _models.SelectMany(model => model.Pieces).Distinct();

    /// <summary>A backend on these weights, with K/V of its own; the caller disposes it.</summary>
    /// <param name="options">Threads and K/V memory; null = defaults.</param>
    /// <param name="stage">An earlier stage of a single grown expert, to draft with; null = it does not.</param>
    /// <exception cref="ObjectDisposedException">Nobody holds the weights any more.</exception>
    public IBackend NewBackend(CpuOptions? options = null, CpuModel? stage = null)
    {
        if (_models.Count == 1)
            return stage is null ? new CpuBackend(_models[0], options) : new CpuBackend(_models[0], stage, options);
        var members = new List<EnsembleMember>();
        try
        {
            for (int i = 0; i < _models.Count; i++)
                members.Add(new EnsembleMember(_names[i], new CpuBackend(_models[i], options)));
            return new LogitEnsemble(members);
        }
        catch
        {
            members.ForEach(member => member.Backend.Dispose());
            throw;
        }
    }

    /// <summary>Lets go of the weights; backends that stand on them keep them.</summary>
    public void Dispose() => _models.ForEach(model => model.Dispose());
}
