using System.Runtime.InteropServices;
using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu;
using Serving.Inference.Devices;
using Serving.Inference.Scheduling;
using TorchSharp;

namespace Serving.Inference.Torch;

/// <summary>A device of libtorch, a GPU or the CPU, as settings use it.</summary>
/// <remarks>libtorch chooses kernels by the shape of a batch, so a row is the same bits only in a batch of the same shape.</remarks>
public sealed class TorchDevice : IDevice
{
    private readonly Accelerator _accelerator;
    private readonly TorchOptions _options;

    private TorchDevice(Accelerator accelerator, TorchOptions options) => (_accelerator, _options) = (accelerator, options);

    /// <inheritdoc/>
    public string Name => _accelerator.Name;

    /// <inheritdoc/>
    public string Arithmetic => $"libtorch {torch.__version__} {_accelerator.Place.type} {_options.Precision}";

    /// <inheritdoc/>
    public bool IsBatchInvariant => false;

    /// <summary>Bytes of all weights on the device, each counted once, whoever holds them.</summary>
    public long WeightBytes => _accelerator.Tensors.Bytes;

    /// <summary>A device by its name.</summary>
    /// <param name="name"><c>torch-cpu</c>, <c>cuda</c> (the first GPU) or <c>cuda:N</c>.</param>
    /// <param name="options">How it is used; null = defaults.</param>
    /// <exception cref="DeviceUnavailableException">This build or this machine has no such device, or it cannot do what is asked.
    /// </exception>
    public static TorchDevice Open(string name, TorchOptions? options = null)
    {
        options ??= new TorchOptions();
        if (options.Quantization != Quantization.None)
        {
            throw new DeviceUnavailableException(
                $"The device '{name}' holds matrices as floating-point numbers, but int8 was asked for.", "Leave it out, or use the device cpu.");
        }
        Accelerator accelerator = Accelerator.Open(name);
        if (accelerator.IsHost && options.Threads > 0)
            torch.set_num_threads(options.Threads);
        return new TorchDevice(accelerator, options);
    }

    /// <inheritdoc/>
    public MemoryPlan Plan(IReadOnlyList<TransformerWeights> experts, EngineOptions engine)
    {
        DevicePlan[] plans = [.. experts.Select(expert => DevicePlan.Of(expert, _options, engine))];
        long tables = experts.Select(expert => expert.Table).Distinct().Sum(table => table.Bytes);
        long weights = plans.Sum(plan => plan.MatrixBytes) + tables;
        var all = new MemoryPlan(weights, plans.Sum(plan => plan.KvBytes), plans[0].KvTokens, plans.Sum(plan => plan.WorkspaceBytes));
        all = all with { LeastKvBytes = all.KvBytes / all.KvTokens * Math.Min(all.KvTokens, experts[0].ContextTokens) };
        return _accelerator.IsHost ? all : all with { ElsewhereBytes = all.LeastBytes - tables };
    }

    /// <inheritdoc/>
    public IExperts Load(string id, IReadOnlyList<TransformerWeights> experts, IProgress<double>? progress = null)
    {
        if (experts.FirstOrDefault(expert => expert.IsQuantized) is { } quantized)
        {
            throw new CheckpointException(quantized.Head.Weight.Path, $"matrices for the device {Name}", "floating-point numbers",
                "whole numbers of eight bits", "Serve this checkpoint on the device cpu, or the one that it was converted from here.");
        }
        using IDisposable mode = torch.inference_mode();
        try
        {
            return new TorchExperts(id, experts, _accelerator, _options, progress);
        }
        catch (ExternalException fault)
        {
            throw DeviceMemory.Explain(fault, Name, $"the weights of '{id}'");
        }
    }
}
