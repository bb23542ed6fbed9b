using Serving.Glyphs.Embeddings;

namespace Serving.Inference.Checkpoints;

/// <summary>
/// A model whose files are open and checked: what it is made of, ready for a backend to read. Dispose it as soon as the
/// backend is built; everything but the tensors' values stays readable.
/// </summary>
public sealed class LoadedModel : IDisposable
{
    private readonly CheckpointFolder _folder;

    private LoadedModel(ModelFolder model, CheckpointFolder folder, TransformerWeights weights, Substrate? substrate)
    {
        (Id, _folder, Weights, Substrate) = (model.Id, folder, weights, substrate);
        string own = System.IO.Path.Combine(folder.Path, "tokenizer.json");
        TokenizerPath = File.Exists(own) ? own : substrate?.TokenizerPath
            ?? throw new CheckpointException(folder.Path, "folder", "a tokenizer.json", "none",
                "Save the model's tokenizer beside its weights.");
    }

    /// <summary>The model's id.</summary>
    public string Id { get; }

    /// <summary>The checkpoint's folder.</summary>
    public string Path => _folder.Path;

    /// <summary>Its config.json.</summary>
    public ModelConfig Config => _folder.Config;

    /// <summary>Its tensors by role; readable until this object is disposed.</summary>
    public TransformerWeights Weights { get; }

    /// <summary>The substrate it stands on; null = it has a table of its own, or none.</summary>
    public Substrate? Substrate { get; }

    /// <summary>Its tokenizer.json: the checkpoint's own, else its substrate's.</summary>
    public string TokenizerPath { get; }

    /// <summary>Its frozen table: one object for all models of a root with the same content.</summary>
    public FrozenTable Table => Weights.Table;

    /// <summary>Learned and frozen values; a table computed from token bits counts nothing.</summary>
    public long Parameters => Tensors().Sum(tensor => tensor.Elements) + TableElements;

    /// <summary>Element type of its largest matrix, by the name PyTorch gives it.</summary>
    public string DType => Weights.Head.Weight.DType switch
    {
        Checkpoints.DType.BF16 => "bfloat16",
        Checkpoints.DType.F16 => "float16",
        _ => "float32",
    };

    /// <summary>Bytes of its values, the table included.</summary>
    public long Bytes => Tensors().Sum(tensor => tensor.Bytes) + SharedBytes;

    /// <summary>Bytes of the table, which other models may share.</summary>
    public long SharedBytes => TableElements * sizeof(float);

    private long TableElements => Weights.TableSource == TableSource.TokenBits ? 0 : Table.Values.Length;

    /// <summary>Opens a model of a root: reads headers and its table, not yet its weights.</summary>
    /// <exception cref="CheckpointException">A file is missing, malformed, or not of this family.</exception>
    public static LoadedModel Load(ModelsRoot root, ModelFolder model)
    {
        CheckpointFolder folder = CheckpointFolder.Open(model.Path);
        try
        {
            Substrate? substrate = null;
            TransformerWeights weights = WeightsResolver.Resolve(folder.Config, folder.Tensors.Values,
                () => (substrate = root.FindSubstrate(folder.Config.Substrate!)).Table);
            return new LoadedModel(model, folder, weights with { Table = root.Tables.Share(weights.Table) }, substrate);
        }
        catch
        {
            folder.Dispose();
            throw;
        }
    }

    /// <summary>Closes the checkpoint's files.</summary>
    public void Dispose() => _folder.Dispose();

    private IEnumerable<Tensor> Tensors()
    {
        IEnumerable<LinearWeights> linears = Weights.Blocks
            .SelectMany(block => new[] { block.Query, block.Key, block.Value, block.Output, block.Up, block.Down })
            .Append(Weights.Head);
        IEnumerable<NormWeights?> norms = Weights.Blocks
            .SelectMany(block => new NormWeights?[] { block.AttentionNorm, block.MlpNorm })
            .Append(Weights.FinalNorm);
        return linears.SelectMany(linear => new[] { linear.Weight, linear.Bias })
            .Concat(norms.SelectMany(norm => new[] { norm?.Weight, norm?.Bias })).OfType<Tensor>();
    }
}
