using Serving.Inference.Checkpoints;
using Serving.Inference.Devices;
using TorchSharp;

namespace Serving.Inference.Torch;

/// <summary>One expert's weights on a device, for any number of backends. Freed when its maker has disposed it and the last backend on
/// it is gone. Thread-safe.</summary>
internal sealed class TorchModel : IDisposable
{
    private readonly Holders _holders;
    private readonly IReadOnlyList<DeviceTensor> _held;

    public TorchModel(TransformerWeights weights, Accelerator accelerator, Precision precision, IProgress<double>? progress)
    {
        (Accelerator, Type) = (accelerator, weights.TypeOn(precision));
        (Width, InputLift, Heads, HeadSize, Activation) = (weights.Width, weights.InputLift, weights.Heads, weights.HeadSize, weights.Activation);
        (VocabularySize, ContextTokens, FrozenTable) = (weights.VocabularySize, weights.ContextTokens, weights.Table);
        using DisposeScope scope = torch.NewDisposeScope();
        using var loader = new WeightLoader(accelerator, Type);
        try
        {
            Table = loader.Table(weights.Table);
            Blocks = new Block[weights.Blocks.Count];
            for (int i = 0; i < Blocks.Length; i++)
            {
                Blocks[i] = Load(loader, weights.Blocks[i], weights);
                progress?.Report((i + 1.0) / Blocks.Length);
            }
            FinalNorm = weights.FinalNorm is null ? null : loader.Norm(weights.FinalNorm, weights);
            Head = loader.Linear(weights.Head);
            Rotary = loader.Rotary(weights);
            _held = loader.Held;
            _holders = new Holders(this, Free);
        }
        catch
        {
            loader.GiveUp();
            throw;
        }
    }

    public Accelerator Accelerator { get; }

    /// <summary>What matrices are held as.</summary>
    public torch.ScalarType Type { get; }

    public int Width { get; }

    public InputLift InputLift { get; }

    public int Heads { get; }

    public int HeadSize { get; }

    public int VocabularySize { get; }

    public int ContextTokens { get; }

    public Activation Activation { get; }

    /// <summary>[vocabulary, width or a divisor of it], as precise as it is stored.</summary>
    public DeviceTensor Table { get; }

    public Block[] Blocks { get; }

    public DeviceNorm? FinalNorm { get; }

    public DeviceLinear Head { get; }

    public DeviceRotary Rotary { get; }

    /// <summary>Weights and table on the device, and the table that tokens are inspected by.</summary>
    public IEnumerable<WeightPiece> Pieces => _held.Select(Accelerator.Tensors.PieceOf).Distinct()
        .Append(new WeightPiece(FrozenTable, FrozenTable.Bytes));

    private Glyphs.Embeddings.FrozenTable FrozenTable { get; }

    /// <summary>Lets go of the weights; backends that stand on them keep them.</summary>
    public void Dispose() => _holders.ReleaseMaker();

    /// <summary>Keeps the weights until <see cref="Release"/>.</summary>
    /// <exception cref="ObjectDisposedException">They are freed already.</exception>
    public void Hold() => _holders.Hold();

    /// <summary>Ends a hold; the last one frees the weights.</summary>
    public void Release() => _holders.Release();

    private void Free()
    {
        foreach (DeviceTensor tensor in _held)
            Accelerator.Tensors.Release(tensor);
    }

    private static Block Load(WeightLoader loader, BlockWeights block, TransformerWeights weights)
    {
        using DisposeScope scope = torch.NewDisposeScope(); // what others hold already goes at once
        return new Block(
            loader.Norm(block.AttentionNorm, weights),
            loader.QueryKeyValue(block, weights),
            loader.Linear(block.Output),
            loader.Norm(block.MlpNorm, weights),
            loader.Linear(block.Up),
            loader.Linear(block.Down));
    }

    internal sealed record Block(
        DeviceNorm AttentionNorm, DeviceLinear QueryKeyValue, DeviceLinear Output, DeviceNorm MlpNorm, DeviceLinear Up, DeviceLinear Down);
}
