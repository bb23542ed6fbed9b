using Serving.Inference.Checkpoints;
using Serving.Inference.Devices;
using Serving.Inference.Ensembles;

namespace Serving.Inference.Torch;

/// <summary>A checkpoint's weights on a device: one expert, or several, whose mean never leaves it.</summary>
internal sealed class TorchExperts : IExperts
{
    private readonly string[] _names;
    private readonly int _kvBlocks;
    private readonly List<TorchModel> _models = [];

    public TorchExperts(
        string id, IReadOnlyList<TransformerWeights> experts, Accelerator accelerator, TorchOptions options, IProgress<double>? progress)
    {
        _names = [.. experts.Select(expert => expert.Name.Length == 0 ? id : $"{id}/{expert.Name}")];
        _kvBlocks = options.KvBlocks;
        try
        {
            foreach (TransformerWeights expert in experts)
                _models.Add(new TorchModel(expert, accelerator, options.Precision, progress));
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
        int blocks = kvBlocks > 0 ? kvBlocks : _kvBlocks;
        if (_models.Count == 1)
            return new TorchBackend(_models[0], blocks);
        var members = new List<EnsembleMember>();
        try
        {
            for (int i = 0; i < _models.Count; i++)
                members.Add(new EnsembleMember(_names[i], new TorchBackend(_models[i], blocks)));
            return new TorchEnsemble(new EnsembleRoster(members, EnsembleRule.Logits));
        }
        catch
        {
            members.ForEach(member => member.Backend.Dispose());
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _models.ForEach(model => model.Dispose());
}
