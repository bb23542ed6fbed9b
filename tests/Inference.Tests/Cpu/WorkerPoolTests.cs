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

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    public void Run_ChainsSideBySide_DoesEachChainsRegionsInOrder(int threads)
    {
        WorkerPool pool = WorkerPool.OfSize(threads);
        StairCase[] stairs = [new(500), new(0), new(1), new(300)];
        RegionChain[] chains = [.. stairs.Select(each => new RegionChain(each.Next))];
        lock (pool.Gate)
        {
            for (int round = 0; round < 3; round++)
            {
                pool.Run(chains);
                Assert.All(stairs, each => each.CheckAndReset());
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Run_OneChainFails_EndsItAndNoOther(int threads)
    {
        WorkerPool pool = WorkerPool.OfSize(threads);
        StairCase well = new(200), ill = new(200) { IllRegion = 50 };
        lock (pool.Gate)
        {
            Assert.Throws<InvalidOperationException>(() => pool.Run([new RegionChain(ill.Next), new RegionChain(well.Next)]));
            well.CheckAndReset();
            Assert.Equal(50, ill.Regions);
        }
    }

    [Fact]
    public void OfSize_SameNumber_IsTheSamePool() => Assert.Same(WorkerPool.OfSize(2), WorkerPool.OfSize(2));

    // Regions of 0 to 9 items, some of them small; each item asserts that the region before it is over.
    private sealed class StairCase(int regions)
    {
        private int _items;
        private int _done;

        public int Regions { get; private set; }

        public int IllRegion { get; init; } = -1;

        public Region Next()
        {
            if (_done != _items)
                throw new InvalidDataException($"Region {Regions} has {_items} items, {_done} are done.");
            if (Regions == IllRegion)
                throw new InvalidOperationException();
            if (Regions == regions)
                return Region.None;
            Regions++;
            (_items, _done) = (Regions % 10, 0);
            return new Region(_items, (_, _) => Interlocked.Increment(ref _done), IsSmall: Regions % 3 == 0);
        }

        public void CheckAndReset()
        {
            Assert.Equal((regions, _items), (Regions, _done));
            (Regions, _items, _done) = (0, 0, 0);
        }
    }
}
