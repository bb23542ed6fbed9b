using Serving.Inference.Checkpoints;
using Serving.Inference.Devices;
using Serving.Inference.Ensembles;
using Serving.Inference.Tests.Cpu;
using Serving.Inference.Tests.Ensembles;

namespace Serving.Inference.Tests.Devices;

/// <summary>Golden checkpoints, and changed copies of them, on a device.</summary>
internal static class DeviceExperts
{
    /// <summary>A golden checkpoint.</summary>
    public static IBackend Load(IDevice device, string variant)
    {
        using LoadedModel model = GoldenCheckpoint.Load(variant);
        using IExperts experts = device.Load(model.Id, model.Experts);
        return experts.NewBackend();
    }

    /// <summary>"plain"; another seed than 0 gives it another head, and it may be told to be of another context.</summary>
    public static IBackend Create(IDevice device, int seed = 0, int contextTokens = 0)
    {
        using LoadedModel model = GoldenCheckpoint.Load("plain");
        TransformerWeights weights = Experts.Weights(model, seed);
        return Create(device, contextTokens == 0 ? weights : weights with { ContextTokens = contextTokens });
    }

    public static IBackend Create(IDevice device, TransformerWeights weights)
    {
        using IExperts experts = device.Load("test", [weights]);
        return experts.NewBackend();
    }

    /// <summary>Experts by their seeds, as one.</summary>
    public static IEnsembleBackend Average(IDevice device, int[] seeds, double[] weights, EnsembleRule rule, int contextTokens = 0) => LogitEnsemble.Of(
        [.. seeds.Zip(weights, (seed, weight) => new EnsembleMember($"expert-{seed}", Create(device, seed, contextTokens), weight))], rule);
}
