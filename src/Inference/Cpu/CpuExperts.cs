using Serving.Inference.Checkpoints;
using Serving.Inference.Devices;
using Serving.Inference.Ensembles;

namespace Serving.Inference.Cpu;

/// <summary>A checkpoint's weights, packed: one expert, or several that answer with the mean of their logits.</summary>
/// <remarks>Thread-safe.</remarks>
public sealed class CpuExperts : IExperts
{
    private readonly string[] _names;
    private readonly CpuOptions _options;
    private readonly List<CpuModel> _models = [];

    /// <summary>Reads and packs the weights; the checkpoint may be closed afterwards.</summary>
    /// <param name="model">The checkpoint.</param>
    /// <param name="options">Threads that pack, quantization, and what backends use; null = defaults.</param>
    /// <param name="progress">Told the share that is packed, 0 to 1; null = nobody asks.</param>
    /// <exception cref="CheckpointException">The weights could not be read.</exception>
    public CpuExperts(LoadedModel model, CpuOptions? options = null, IProgress<double>? progress = null)
        : this(model.Id, model.Experts, options, progress)
    {
    }

    /// <summary>Reads and packs weights.</summary>
    /// <param name="id">The model, for faults.</param>
    /// <param name="experts">At least one.</param>
    /// <param name="options">Threads that pack, quantization, and what backends use; null = defaults.</param>
    /// <param name="progress">Told the share that is packed, 0 to 1; null = nobody asks.</param>
    /// <exception cref="CheckpointException">The weights could not be read.</exception>
    public CpuExperts(
        string id, IReadOnlyList<TransformerWeights> experts, CpuOptions? options = null, IProgress<double>? progress = null)
    {
        _options = options ?? new CpuOptions();
        _names = [.. experts.Select(expert => expert.Name.Length == 0 ? id : $"{id}/{expert.Name}")];
        try
        {
            foreach (TransformerWeights expert in experts)
                _models.Add(new CpuModel(expert, _options.Threads, _options.Quantization, progress));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public IEnumerable<WeightPiece> Pieces => _models.SelectMany(model => model.Pieces).Distinct();

    /// <inheritdoc/>
    public IBackend NewBackend(int kvBlocks = 0, IExperts? stage = null)
    {
        CpuOptions options = kvBlocks > 0 ? _options with { KvBlocks = kvBlocks } : _options;
        if (_models.Count == 1)
            return stage is null ? new CpuBackend(_models[0], options) : new CpuBackend(_models[0], ((CpuExperts)stage)._models.Single(), options);
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
