using Serving.Inference.Checkpoints;
using Serving.Inference.Devices;
using Serving.Inference.Ensembles;
using Serving.Inference.Sampling;
using Serving.Inference.Tests.Cpu;
using Serving.Inference.Tests.Devices;
using Serving.Inference.Torch;
using TorchSharp;

namespace Serving.Inference.Tests.Torch;

/// <summary>What a device's memory holds, and when it is given back. Runs alone, because tensors are counted for the whole process.
/// </summary>
[Collection(nameof(TorchMemoryTests))]
[CollectionDefinition(nameof(TorchMemoryTests), DisableParallelization = true)]
public sealed class TorchMemoryTests
{
    private const int Steps = 10_000;

    [Theory]
    [InlineData(TestDevices.TorchCpu)]
    [InlineData(TestDevices.Cuda)]
    public void Forward_TenThousandSteps_LeavesNoTensorBehind(string device)
    {
        using IEnsembleBackend ensemble = DeviceExperts.Average(TestDevices.Open(device), [0, 1], [1, 2], EnsembleRule.Logits);
        var picking = (IPickingBackend)ensemble;
        var batch = new ForwardBatch();
        var logits = new float[4 * ensemble.Shape.VocabularySize];
        var tokens = new int[4];
        TokenPick[] picks = [new(new SamplingOptions(1, 0.9f, 0, 0, 1), 0.5), new(SamplingOptions.Greedy, 0), default, default];
        Step(0);
        long before = LiveTensors();
        for (int step = 1; step <= Steps; step++)
            Step(step);
        Assert.Equal(before, LiveTensors());

        void Step(int step)
        {
            int position = step % 40;
            batch.Clear();
            batch.Add([step % 250], position, [0, 1, 2], 1);
            batch.Add([tokens[1]], position, [3, 4, 5], 1);
            batch.Add([7, 8], position, [6, 7, 8], 2);
            picking.Forward(batch, picks, tokens, logits);
        }
    }

    [Fact]
    public void Dispose_LastHolder_GivesAllWeightsBack()
    {
        TorchDevice device = TorchDevice.Open(TestDevices.TorchCpu);
        long before = device.WeightBytes;
        using LoadedModel model = GoldenCheckpoint.Load("table");
        using (IExperts experts = device.Load("a", model.Experts))
        {
            long one = device.WeightBytes;
            Assert.True(one > before);
            using IExperts again = device.Load("b", model.Experts);
            using IBackend backend = again.NewBackend(4);
            experts.Dispose();
            Assert.Equal(one, device.WeightBytes);
        }
        Assert.Equal(before, device.WeightBytes);
    }

    [Fact]
    public void NewBackend_MoreKvThanThereIsMemory_IsRefusedWithNumbersAndOthersGoOn()
    {
        IDevice device = TestDevices.Open(TestDevices.TorchCpu);
        using LoadedModel model = GoldenCheckpoint.Load("plain");
        using IExperts experts = device.Load("plain", model.Experts);
        using IBackend other = experts.NewBackend(4);
        DeviceMemoryException refused = Assert.Throws<DeviceMemoryException>(() => experts.NewBackend(int.MaxValue / 32));
        Assert.Equal("torch-cpu", refused.Device);
        Assert.True(refused.NeededBytes > 1L << 33, refused.Message);
        Assert.Contains("K/V of", refused.Message, StringComparison.Ordinal);
        Assert.NotEmpty(new Sequence(other, [0, 1]).Run([1, 2, 3], 3));
    }

    // Tensors that nobody refers to any more are counted until they are collected.
    private static long LiveTensors()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return torch.Tensor.TotalCount;
    }
}
