using System.Diagnostics;
using System.Runtime.ExceptionServices;

namespace Serving.Inference.Cpu;

/// <summary>
/// Threads that share the items of short parallel regions, hundreds of them a token. They wait for the next ones by
/// spinning for 50 microseconds and then asleep; the calling thread works too. Whoever is free takes the next item, so a
/// region ends even if every other thread is still asleep.
/// </summary>
/// <remarks>One caller at a time: callers take turns, a whole forward pass each (<see cref="TakeTurn"/>). Its threads are background threads that
/// live as long as the process.</remarks>
internal sealed class WorkerPool
{
    private static readonly long SpinTicks = Stopwatch.Frequency / 20_000;
    private static readonly Dictionary<int, WorkerPool> Pools = [];

    private static readonly TimeSpan WaitBeat = TimeSpan.FromSeconds(1);

    private readonly object _sleep = new();
    private readonly RegionChain[] _alone; // the chain of a single region
    private Region _single;
    private RegionChain[] _chains = [];
    private int _open; // chains that are not at their end
    private int _sleeping;

    private WorkerPool(int threads)
    {
        Threads = threads;
        _alone = [new RegionChain(TakeSingle)];
        for (int worker = 1; worker < threads; worker++)
            StartThread(worker);
    }

    /// <summary>Threads that work at once, the caller's included.</summary>
    public int Threads { get; }

    /// <summary>The pool that an option's number means: 0 = one thread for each processor.</summary>
    public static WorkerPool OfThreads(int threads) => OfSize(threads == 0 ? Environment.ProcessorCount : threads);

    /// <summary>The process's pool with this many threads; the same object each time.</summary>
    public static WorkerPool OfSize(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(threads);
        lock (Pools)
        {
            if (!Pools.TryGetValue(threads, out WorkerPool? pool))
                Pools.Add(threads, pool = new WorkerPool(threads));
            return pool;
        }
    }

    /// <summary>Held by the one caller that may run regions.</summary>
    public Lock Gate { get; } = new();

    /// <summary>Waits until no one else runs regions.</summary>
    /// <param name="beat">Called once a second meanwhile; null = nobody asks.</param>
    /// <returns>The turn, over when disposed by the thread that took it.</returns>
    public Turn TakeTurn(Action? beat)
    {
        while (!Gate.TryEnter(WaitBeat)) beat?.Invoke();
        return new Turn(Gate);
    }

    /// <summary>Calls <paramref name="body"/> with every item from 0 to <paramref name="items"/> - 1 and the index of the worker
    /// that took it, in any order; returns when all are done. Allocates nothing.</summary>
    /// <param name="items">How many.</param>
    /// <param name="body">A delegate made once; its first exception is thrown here.</param>
    public void Run(int items, Action<int, int> body) => Run(new Region(items, body));

    /// <summary>Does a region; returns when all its items are done. Allocates nothing.</summary>
    /// <param name="region">Its first exception is thrown here.</param>
    public void Run(Region region)
    {
        _single = region;
        Run(_alone);
    }

    /// <summary>Goes through chains side by side, and returns when all are at their end. Who is free takes an item of the chain
    /// that is furthest behind, so that none is left to the end, when there would be nothing to do beside it.</summary>
    /// <param name="chains">Their first exception is thrown here, after the end of all. Not changed meanwhile.</param>
    public void Run(RegionChain[] chains)
    {
        _chains = chains;
        Interlocked.Exchange(ref _open, chains.Length);
        if (Threads > 1)
            Wake();
        foreach (RegionChain chain in chains)
        {
            if (chain.Start(worker: 0, isShared: Threads > 1))
                Interlocked.Decrement(ref _open);
        }
        WorkToTheEnd(worker: 0);
        foreach (RegionChain chain in chains)
        {
            if (chain.Fault is { } fault)
                ExceptionDispatchInfo.Throw(fault);
        }
    }

    private Region TakeSingle()
    {
        Region region = _single;
        _single = Region.None;
        return region;
    }

    private void Wake()
    {
        if (Volatile.Read(ref _sleeping) == 0)
            return;
        lock (_sleep)
            Monitor.PulseAll(_sleep);
    }

    private void StartThread(int worker)
    {
        var thread = new Thread(() => Work(worker)) { IsBackground = true, Name = $"inference-{worker}" };
        thread.Start();
    }

    private void Work(int worker)
    {
        while (true)
        {
            long end = Stopwatch.GetTimestamp() + SpinTicks;
            while (Volatile.Read(ref _open) == 0 && Stopwatch.GetTimestamp() < end)
                Thread.SpinWait(1);
            if (Volatile.Read(ref _open) == 0)
                Sleep();
            WorkToTheEnd(worker);
        }
    }

    // _sleeping is raised before _open is read here, and _open is set before _sleeping is read in Run: one of the two sees
    // the other, so no chain is slept through.
    private void Sleep()
    {
        lock (_sleep)
        {
            Interlocked.Increment(ref _sleeping);
            while (Volatile.Read(ref _open) == 0)
                Monitor.Wait(_sleep);
            Interlocked.Decrement(ref _sleeping);
        }
    }

    private void WorkToTheEnd(int worker)
    {
        var spinner = new SpinWait();
        while (Volatile.Read(ref _open) > 0)
        {
            if (FurthestBehind() is not { } chain)
            {
                spinner.SpinOnce(sleep1Threshold: -1);
                continue;
            }
            if (chain.Work(worker))
                Interlocked.Decrement(ref _open);
            spinner.Reset();
        }
    }

    private RegionChain? FurthestBehind()
    {
        RegionChain? furthest = null;
        foreach (RegionChain chain in Volatile.Read(ref _chains))
        {
            if (chain.HasItems && (furthest is null || chain.Stage < furthest.Stage))
                furthest = chain;
        }
        return furthest;
    }

    /// <summary>The right to run regions.</summary>
    internal readonly ref struct Turn(Lock gate)
    {
        /// <summary>Lets the next one in.</summary>
        public void Dispose() => gate.Exit();
    }
}
