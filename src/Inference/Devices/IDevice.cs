using Serving.Inference.Checkpoints;
using Serving.Inference.Scheduling;

namespace Serving.Inference.Devices;

/// <summary>Where models compute: this machine's processors, or an accelerator. Thread-safe.</summary>
public interface IDevice
{
    /// <summary>As settings name it: <c>cpu</c>, <c>torch-cpu</c>, <c>cuda:0</c>.</summary>
    string Name { get; }

    /// <summary>What its rounding depends on, such as instructions and precision: part of the name of every answer.</summary>
    string Arithmetic { get; }

    /// <summary>Whether a row of logits is the same bits in any batch, for any chunking. Where it is not, tokens are not guessed
    /// ahead, because that would change answers.</summary>
    bool IsBatchInvariant { get; }

    /// <summary>The memory that a model would take; reads no values.</summary>
    /// <param name="experts">The model: one expert, or several that answer together.</param>
    /// <param name="engine">The budgets of a forward pass.</param>
    MemoryPlan Plan(IReadOnlyList<TransformerWeights> experts, EngineOptions engine);

    /// <summary>Reads a model's weights into the device's memory; the files may be closed afterwards.</summary>
    /// <param name="id">The model, for faults.</param>
    /// <param name="experts">At least one.</param>
    /// <param name="progress">Told the share that is read, 0 to 1; null = nobody asks.</param>
    /// <exception cref="CheckpointException">The weights could not be read.</exception>
    /// <exception cref="DeviceMemoryException">The device has no room for them.</exception>
    IExperts Load(string id, IReadOnlyList<TransformerWeights> experts, IProgress<double>? progress = null);
}
