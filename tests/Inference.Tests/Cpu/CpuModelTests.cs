using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu;

namespace Serving.Inference.Tests.Cpu;

public sealed class CpuModelTests
{
    private static readonly CpuOptions Options = new() { Threads = 1, KvBlocks = 4 };

    [Fact]
    public void Backends_OnOneModel_KeepTheirOwnSequences()
    {
        using var model = new CpuModel(RandomModel.Create(DType.F32));
        using var alone = new CpuBackend(RandomModel.Create(DType.F32), Options);
        using var first = new CpuBackend(model, Options);
        using var second = new CpuBackend(model, Options);
        float[][] expected = new Sequence(alone, [0, 1]).Run([7, 8, 9, 10], 2);
        var sequence = new Sequence(first, [0, 1]);
        float[][] before = sequence.Run([7, 8], 2);
        _ = new Sequence(second, [0, 1]).Run([50, 60, 70], 3);
        Assert.Equal(expected, [.. before, .. sequence.Run([9, 10], 2)]);
    }

    [Fact]
    public void Dispose_BackendsRemain_TheyGoOn()
    {
        var model = new CpuModel(RandomModel.Create(DType.F32));
        var first = new CpuBackend(model, Options);
        using var second = new CpuBackend(model, Options);
        float[][] expected = new Sequence(first, [0]).Run([1, 2, 3], 3);
        model.Dispose();
        model.Dispose();
        first.Dispose();
        first.Dispose();
        Assert.Equal(expected, new Sequence(second, [0]).Run([1, 2, 3], 3));
    }

    [Fact]
    public void Create_OnFreedModel_IsRefused()
    {
        var model = new CpuModel(RandomModel.Create(DType.F32));
        new CpuBackend(model, Options).Dispose();
        model.Dispose();
        Assert.Throws<ObjectDisposedException>(() => new CpuBackend(model, Options));
    }
}
