using Serving.Inference.Cpu;

namespace Serving.Inference.Tests.Cpu;

public sealed class WorkerPoolTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    public void Run_ManyRegions_DoesEveryItemOnce(int threads)
    {
        WorkerPool pool = WorkerPool.OfSize(threads);
        var done = new int[100];
        lock (pool.Gate)
        {
            for (int region = 1; region <= 2000; region++)
            {
                int items = region % done.Length;
                pool.Run(items, (item, worker) =>
                {
                    Assert.InRange(worker, 0, threads - 1);
                    Interlocked.Increment(ref done[item]);
                });
                Assert.Equal(items, done.Sum());
                Array.Clear(done);
            }
        }
    }

    [Fact]
    public void Run_OneItemFails_ThrowsAndServesTheNextRegion()
    {
        WorkerPool pool = WorkerPool.OfSize(2);
        lock (pool.Gate)
        {
            Assert.Throws<InvalidOperationException>(() =>
                pool.Run(20, (item, _) => _ = item == 13 ? throw new InvalidOperationException() : item));
            int sum = 0;
            pool.Run(20, (item, _) => Interlocked.Add(ref sum, item));
            Assert.Equal(190, sum);
        }
    }

    [Fact]
    public void OfSize_SameNumber_IsTheSamePool() => Assert.Same(WorkerPool.OfSize(2), WorkerPool.OfSize(2));
}
