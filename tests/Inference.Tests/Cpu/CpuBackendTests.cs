using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu;

namespace Serving.Inference.Tests.Cpu;

public sealed class CpuBackendTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Forward_DecodeStepsAfterWarmUp_AllocateNothing(int threads)
    {
        using var backend = new CpuBackend(RandomModel.Create(DType.F32), new CpuOptions { Threads = threads, KvBlocks = 40 });
        var logits = new float[4 * backend.Shape.VocabularySize];
        List<int>[] blocks = [.. Enumerable.Range(0, 4).Select(s => Enumerable.Range(10 * s, 10).ToList())];
        var batch = new ForwardBatch();
        // Other tests compute on the same threads, and whoever waits for a turn may allocate: one quiet stretch is proof.
        var allocated = new List<long>();
        for (int stretch = 0; stretch < 10; stretch++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int position = stretch * 16; position < (stretch + 1) * 16; position++)
                Decode(position);
            allocated.Add(GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Contains(0, allocated.Skip(3));

        void Decode(int position)
        {
            batch.Clear();
            foreach (List<int> table in blocks)
                batch.Add([position], position, table, 1);
            backend.Forward(batch, logits);
        }
    }

    [Fact]
    public void Forward_GarbageInBlocks_ChangesNothing()
    {
        using var backend = new CpuBackend(RandomModel.Create(DType.F32), new CpuOptions { KvBlocks = 10 });
        float[][] expected = new Sequence(backend, [3]).Run([7, 8, 9], 3);

        // A sequence whose head of the vocabulary is fine but whose K/V another one left behind.
        _ = new Sequence(backend, [3]).Run([.. Enumerable.Range(20, 16)], 16);
        Assert.Equal(expected, new Sequence(backend, [3]).Run([7, 8, 9], 2));
    }

    [Fact]
    public void Forward_EmptyBatch_DoesNothing()
    {
        using var backend = new CpuBackend(RandomModel.Create(DType.F32), new CpuOptions { KvBlocks = 1 });
        backend.Forward(new ForwardBatch(), []);
    }

    [Theory]
    [InlineData(333, 0, 1, 0)]
    [InlineData(-1, 0, 1, 0)]
    [InlineData(5, 160, 11, 0)]
    [InlineData(5, int.MaxValue, 11, 0)]
    [InlineData(5, 16, 1, 0)]
    [InlineData(5, 0, 1, 10)]
    [InlineData(5, 0, 1, -1)]
    public void Forward_OutOfRange_IsRefused(int token, int position, int blockCount, int block)
    {
        using var backend = new CpuBackend(RandomModel.Create(DType.F32), new CpuOptions { KvBlocks = 10 });
        var batch = new ForwardBatch();
        batch.Add([token], position, [.. Enumerable.Repeat(block, blockCount)], 1);
        Assert.ThrowsAny<ArgumentException>(() => backend.Forward(batch, new float[333]));
    }

    [Fact]
    public void Forward_TooLittleRoomForLogits_IsRefused()
    {
        using var backend = new CpuBackend(RandomModel.Create(DType.F32), new CpuOptions { KvBlocks = 10 });
        var batch = new ForwardBatch();
        batch.Add([1, 2], 0, [0], 2);
        Assert.Throws<ArgumentException>(() => backend.Forward(batch, new float[333]));
    }

    [Fact]
    public void Forward_AfterDispose_IsRefused()
    {
        var backend = new CpuBackend(RandomModel.Create(DType.F32), new CpuOptions { KvBlocks = 1 });
        backend.Dispose();
        backend.Dispose();
        Assert.Throws<ObjectDisposedException>(() => backend.Forward(new ForwardBatch(), []));
    }

    [Fact]
    public void Kv_NoBlocksGiven_HoldsEightFullSequences()
    {
        using var backend = new CpuBackend(RandomModel.Create(DType.F32));
        Assert.Equal(new KvCapacity(80, 16), backend.Kv);
        Assert.Equal((333, 160), (backend.Shape.VocabularySize, backend.Shape.ContextTokens));
        Assert.Equal(2 * 2 * 3 * 16 * (4 + (32 * 2)), CpuMemory.Of(RandomModel.Create(DType.F32)).BlockBytes);
    }
}
