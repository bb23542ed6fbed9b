using System.Runtime.InteropServices;
using Serving.Inference.Devices;
using Serving.Inference.Ensembles;
using Serving.Inference.Sampling;
using TorchSharp;

namespace Serving.Inference.Torch;

/// <summary>
/// The transformer on a device of libtorch. Several may stand on one model, each with K/V of its own. A row's logits are the same bits
/// in a batch of the same shape; in another they may differ by rounding, because libtorch chooses its kernels by shape.
/// </summary>
/// <remarks>One thread at a time calls it. Backends of a device take turns, a whole forward pass each.</remarks>
internal sealed class TorchBackend : IPickingBackend, IJoinableBackend
{
    private readonly TorchModel _model;
    private readonly DeviceKv _kv;
    private readonly Transformer _transformer;
    private readonly BatchLayout _layout = new();
    private readonly StepMemory _memory;
    private readonly LogitDelivery _delivery;
    private bool _disposed;

    /// <param name="model">The weights; held until this backend is disposed.</param>
    /// <param name="kvBlocks">K/V blocks; 0 = enough for some sequences of full length.</param>
    /// <exception cref="DeviceMemoryException">There is no room for the K/V.</exception>
    public TorchBackend(TorchModel model, int kvBlocks)
    {
        int blocks = DevicePlan.KvBlocks(model.ContextTokens, kvBlocks);
        model.Hold();
        try
        {
            using IDisposable mode = torch.inference_mode();
            _kv = new DeviceKv(model.Accelerator, model.Type, model.Blocks.Length, blocks, model.Heads, model.HeadSize);
        }
        catch (ExternalException fault)
        {
            model.Release();
            throw DeviceMemory.Explain(fault, model.Accelerator.Name, $"K/V of {blocks * DeviceKv.BlockTokens} tokens");
        }
        (_model, _transformer, _memory) = (model, new Transformer(model, _kv), new StepMemory(model.Accelerator));
        _delivery = new LogitDelivery(_memory, model.VocabularySize);
        Shape = new ModelShape(model.VocabularySize, model.ContextTokens) { HiddenWidth = model.Width };
        Kv = new KvCapacity(blocks, DeviceKv.BlockTokens);
    }

    /// <inheritdoc/>
    public ModelShape Shape { get; }

    /// <inheritdoc/>
    public KvCapacity Kv { get; }

    /// <summary>Where it computes.</summary>
    public Accelerator Accelerator => _model.Accelerator;

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">A token, position, block or the size of <paramref name="logits"/> is out of range;
    /// nothing has been computed then.</exception>
    /// <exception cref="DeviceMemoryException">The device has no room for this pass.</exception>
    public void Forward(ForwardBatch batch, Span<float> logits) => Forward(batch, default, default, logits);

    /// <inheritdoc/>
    public void Forward(ForwardBatch batch, ReadOnlySpan<TokenPick> picks, Span<int> tokens, Span<float> logits)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        BatchCheck.Throw(batch, logits, Shape, Kv);
        if (batch.Tokens.Length == 0)
            return;
        lock (Accelerator.Gate)
        {
            using IDisposable mode = torch.inference_mode();
            using DisposeScope scope = torch.NewDisposeScope();
            try
            {
                _layout.Arrange(batch);
                DeviceTensor? rows = Run(batch, _layout, Step.Of(_layout, _memory, Accelerator));
                if (rows is null)
                    Accelerator.Wait(); // the indices' memory is written again for the next pass
                else
                    _delivery.Deliver(rows, picks, tokens, logits);
            }
            catch (ExternalException fault)
            {
                throw DeviceMemory.Explain(fault, Accelerator.Name, $"a forward pass over {batch.Tokens.Length} tokens");
            }
        }
    }

    /// <summary>Computes a pass within the caller's dispose scope, turn and layout, and leaves its logits on the device.</summary>
    /// <returns>[logit rows, vocabulary], float32; null = none are wanted.</returns>
    public DeviceTensor? Run(ForwardBatch batch, BatchLayout layout, Step step)
    {
        DeviceTensor hidden = _transformer.Run(step);
        SumHidden(batch, layout, hidden);
        return layout.LogitRows == 0 ? null : _transformer.Logits(hidden.index_select(0, step.LogitRows));
    }

    /// <inheritdoc/>
    public IEnsembleBackend? Join(EnsembleRoster roster) =>
        roster.All.All(member => member.Backend is TorchBackend) ? new TorchEnsemble(roster) : null;

    /// <summary>Frees K/V, and the weights if no one else holds them.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        lock (Accelerator.Gate)
        {
            _kv.Dispose();
            _memory.Dispose();
            _model.Release();
        }
    }

    private static void SumHidden(ForwardBatch batch, BatchLayout layout, DeviceTensor hidden)
    {
        for (int index = 0; index < batch.Chunks.Length; index++)
        {
            ForwardBatch.Chunk chunk = batch.Chunks[index];
            if (chunk.HiddenSum is not { } sum)
                continue;
            DeviceTensor rows = hidden.narrow(0, layout.FirstAsked(index), chunk.Length);
            DeviceTensor own = rows.sum(0, type: torch.ScalarType.Float64).cpu();
            ReadOnlySpan<double> values = MemoryMarshal.Cast<byte, double>(own.bytes);
            if (chunk.Position == 0)
                Array.Clear(sum);
            for (int i = 0; i < sum.Length; i++)
                sum[i] += values[i];
        }
    }
}
