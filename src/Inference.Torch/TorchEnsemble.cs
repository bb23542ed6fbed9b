using System.Runtime.InteropServices;
using Serving.Inference.Ensembles;
using Serving.Inference.Sampling;
using TorchSharp;

namespace Serving.Inference.Torch;

/// <summary>
/// Several experts on devices of libtorch that answer as one. Each computes where it is; their logits meet on the first one's device,
/// are averaged there, and only the mean, or what is picked from it, leaves it.
/// </summary>
/// <remarks>Like every backend not thread-safe. It answers as <see cref="LogitEnsemble"/> does, up to rounding, and copies of one
/// expert answer that expert's bits.</remarks>
internal sealed class TorchEnsemble : IEnsembleBackend, IPickingBackend
{
    private readonly EnsembleRoster _roster;
    private readonly TorchBackend[] _members;
    private readonly Accelerator[] _accelerators; // of the members, each once, in one order for all ensembles
    private readonly BatchLayout _layout = new();
    private readonly StepMemory[] _memories; // beside _accelerators
    private readonly StepMemory _memory;
    private readonly LogitDelivery _delivery;
    private readonly RowBlender _blender;
    private readonly float[][] _row; // of each member, for attribution
    private DeviceTensor[] _logits = []; // of each member, the last pass's
    private MemberFaultException?[] _faults = []; // by row of the last pass

    /// <param name="roster">The members, all of them <see cref="TorchBackend"/>s.</param>
    public TorchEnsemble(EnsembleRoster roster)
    {
        _roster = roster;
        _members = [.. roster.Running.Select(member => (TorchBackend)member.Backend)];
        _accelerators = [.. _members.Select(member => member.Accelerator).Distinct().OrderBy(each => each.Name, StringComparer.Ordinal)];
        _memories = [.. _accelerators.Select(each => new StepMemory(each))];
        _memory = new StepMemory(Home);
        _delivery = new LogitDelivery(_memory, Shape.VocabularySize);
        _blender = new RowBlender(Shape.VocabularySize, _members.Length);
        _row = [.. _members.Select(_ => new float[Shape.VocabularySize])];
    }

    /// <inheritdoc/>
    public ModelShape Shape => _roster.Shape;

    /// <inheritdoc/>
    public KvCapacity Kv => _roster.Kv;

    // Where the mean is made.
    private Accelerator Home => _members[0].Accelerator;

    /// <inheritdoc/>
    public void Forward(ForwardBatch batch, Span<float> logits) => Forward(batch, default, default, logits);

    /// <inheritdoc/>
    public void Forward(ForwardBatch batch, ReadOnlySpan<TokenPick> picks, Span<int> tokens, Span<float> logits)
    {
        BatchCheck.Throw(batch, logits, Shape, Kv);
        if (batch.Tokens.Length == 0)
            return;
        EnterAll();
        using IDisposable mode = torch.inference_mode();
        using DisposeScope scope = torch.NewDisposeScope();
        try
        {
            Forget();
            Compute(batch);
            if (_logits.Length == 0)
            {
                Array.ForEach(_accelerators, each => each.Wait());
                return;
            }
            FindFaults();
            _delivery.Deliver(DeviceBlend.Average(batch, _roster, _logits), picks, tokens, logits);
        }
        catch (ExternalException fault)
        {
            throw DeviceMemory.Explain(fault, Home.Name, $"a forward pass of {_members.Length} experts over {batch.Tokens.Length} tokens");
        }
        finally
        {
            ExitAll();
        }
    }

    /// <inheritdoc/>
    public Exception? FaultOf(int row) => _faults[row];

    /// <inheritdoc/>
    public ExpertAttribution Attribute(int row, int token, Blend? blend)
    {
        lock (Home.Gate)
        {
            using IDisposable mode = torch.inference_mode();
            using DisposeScope scope = torch.NewDisposeScope();
            for (int member = 0; member < _members.Length; member++)
                _memory.Bring(_logits[member].select(0, row)).CopyTo(_row[member]);
        }
        return _blender.Attribute(_row, 0, token, blend ?? _roster.Blend);
    }

    /// <summary>Disposes the backends of all members.</summary>
    public void Dispose()
    {
        Forget();
        Array.ForEach(_memories, memory => memory.Dispose());
        _memory.Dispose();
        _roster.Dispose();
    }

    // Nothing waits before the mean, so devices compute side by side.
    private void Compute(ForwardBatch batch)
    {
        _layout.Arrange(batch);
        Step[] steps = [.. _accelerators.Select((each, i) => Step.Of(_layout, _memories[i], each))];
        var logits = new List<DeviceTensor>(_members.Length);
        foreach (TorchBackend member in _members)
        {
            if (member.Run(batch, _layout, steps[Array.IndexOf(_accelerators, member.Accelerator)]) is { } own)
                logits.Add(own);
        }
        _logits = [.. logits.Select(own => own.to(Home.Place, non_blocking: true).DetachFromDisposeScope())];
    }

    // A member that breaks on one text is a fault of that text's row alone.
    private void FindFaults()
    {
        int rows = (int)_logits[0].shape[0];
        DeviceTensor finite = torch.stack([.. _logits.Select(own => own.isfinite().all(1))], 0).to_type(torch.ScalarType.Float32);
        ReadOnlySpan<float> flags = _memory.Bring(finite);
        if (_faults.Length < rows)
            _faults = new MemberFaultException?[rows];
        for (int row = 0; row < rows; row++)
        {
            _faults[row] = null;
            for (int member = 0; member < _members.Length && _faults[row] is null; member++)
            {
                if (flags[(member * rows) + row] == 0)
                    _faults[row] = new MemberFaultException(_roster.Running[member].Id);
            }
        }
    }

    private void Forget()
    {
        foreach (DeviceTensor own in _logits)
            own.Dispose();
        _logits = [];
    }

    private void EnterAll()
    {
        foreach (Accelerator each in _accelerators)
            each.Gate.Enter();
    }

    private void ExitAll()
    {
        foreach (Accelerator each in _accelerators)
            each.Gate.Exit();
    }
}
