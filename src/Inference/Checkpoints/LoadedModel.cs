using Serving.Glyphs.Embeddings;

namespace Serving.Inference.Checkpoints;

/// <summary>
/// A model whose files are open and checked: what it is made of, ready for a backend to read. Dispose it as soon as the
/// backend is built; everything but the tensors' values stays readable.
/// </summary>
public sealed class LoadedModel : IDisposable
{
    private readonly CheckpointFolder _folder;

    private LoadedModel(ModelFolder model, CheckpointFolder folder, IReadOnlyList<TransformerWeights> experts, Substrate? substrate)
    {
        (Id, _folder, Experts, Substrate) = (model.Id, folder, experts, substrate);
        string own = System.IO.Path.Combine(folder.Path, "tokenizer.json");
        TokenizerPath = File.Exists(own) ? own : substrate?.TokenizerPath
            ?? throw new CheckpointException(folder.Path, "folder", "a tokenizer.json", "none",
                "Save the model's tokenizer beside its weights.");
    }

    /// <summary>The model's id.</summary>
    public string Id { get; }

    /// <summary>The checkpoint's folder.</summary>
    public string Path => _folder.Path;

    /// <summary>The files that its tensors lie in, by name.</summary>
    public IEnumerable<string> WeightFiles => _folder.Tensors.Values.Select(tensor => tensor.Path).Distinct().Order(StringComparer.Ordinal);

    /// <summary>Its config.json.</summary>
    public ModelConfig Config => _folder.Config;

    /// <summary>Its tensors by role; readable until this object is disposed. More than one = a checkpoint of several complete
    /// models, which answers with the mean of their logits.</summary>
    public IReadOnlyList<TransformerWeights> Experts { get; }

    /// <summary>The first of <see cref="Experts"/>: mostly the only one.</summary>
    public TransformerWeights Weights => Experts[0];

    /// <summary>The substrate it stands on; null = it has a table of its own, or none.</summary>
    public Substrate? Substrate { get; }

    /// <summary>Its tokenizer.json: the checkpoint's own, else its substrate's.</summary>
    public string TokenizerPath { get; }

    /// <summary>Its frozen table: one object for all models of a root with the same content.</summary>
    public FrozenTable Table => Weights.Table;

    /// <summary>Learned and frozen values; a table computed from token bits counts nothing.</summary>
    public long Parameters => Tensors().Where(tensor => TensorNames.Place(tensor.Name)?.Key.IsScale != true).Sum(tensor => tensor.Elements) + Tables.Sum(table => table.Elements);

    /// <summary>Element type of its largest matrix, by the name PyTorch gives it.</summary>
    public string DType => Weights.Head.Weight.DType.TorchName();

    /// <summary>Bytes of its values as they are stored.</summary>
    public long Bytes => Tensors().Sum(tensor => tensor.Bytes) + Tables.Sum(table => table.Bytes);

    private IEnumerable<FrozenTable> Tables =>
        Experts.Where(expert => expert.TableSource != TableSource.TokenBits).Select(expert => expert.Table).Distinct();

    /// <summary>Opens a model of a root: reads headers and its table, not yet its weights.</summary>
    /// <exception cref="CheckpointException">A file is missing, malformed, or not of this family.</exception>
    public static LoadedModel Load(ModelsRoot root, ModelFolder model)
    {
        CheckpointFolder folder = CheckpointFolder.Open(model.Path);
        try
        {
            Substrate? substrate = null;
            IReadOnlyList<TransformerWeights> experts = WeightsResolver.Resolve(folder.Config, folder.Tensors.Values,
                () => (substrate = root.FindSubstrate(folder.Config.Substrate!)).Table);
            return new LoadedModel(
                model, folder, [.. experts.Select(expert => expert with { Table = SharedTables.Process.Share(expert.Table) })], substrate);
        }
        catch
        {
            folder.Dispose();
            throw;
        }
    }

    /// <summary>Compares all weights with the fingerprints that their files hold, if they do: those that <see cref="SafetensorsWriter"/>
    /// wrote. Two gigabytes a second on each processor.</summary>
    /// <exception cref="CheckpointException">A byte is not what was written.</exception>
    public void Verify() => TensorCheck.Verify(_folder.Tensors.Values);

    /// <summary>Closes the checkpoint's files.</summary>
    public void Dispose() => _folder.Dispose();

    private IEnumerable<Tensor> Tensors() => Experts.SelectMany(expert => expert.Tensors()).Distinct()
        .Where(tensor => TensorNames.Place(tensor.Name)?.Key.Role != TensorRole.Embedding);
}
