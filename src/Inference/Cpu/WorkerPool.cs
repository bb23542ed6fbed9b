using System.Diagnostics;
using System.Runtime.ExceptionServices;

namespace Serving.Inference.Cpu;

/// <summary>
/// Threads that share the items of short parallel regions, hundreds of them a token. They wait for the next region by
/// spinning for 50 microseconds and then asleep; the calling thread works too. Whoever is free takes the next item, so a
/// region ends even if every other thread is still asleep.
/// </summary>
/// <remarks>One region at a time: callers take turns, a whole forward pass each (<see cref="TakeTurn"/>). Its threads are background threads that
/// live as long as the process.</remarks>
internal sealed class WorkerPool
{
    private static readonly long SpinTicks = Stopwatch.Frequency / 20_000;
    private static readonly Dictionary<int, WorkerPool> Pools = [];

    private static readonly TimeSpan WaitBeat = TimeSpan.FromSeconds(1);

    private readonly object _sleep = new();
    private int _sleeping;
    private Action<int, int>? _body;
    private Exception? _fault;
    private int _items;
    private int _left;
    private int _done;

    private WorkerPool(int threads)
    {
        Threads = threads;
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
    /// <param name="alone">Do it on the calling thread: for work too small to share.</param>
    public void Run(int items, Action<int, int> body, bool alone = false)
    {
        if (alone || items <= 1 || Threads == 1)
        {
            for (int item = 0; item < items; item++)
                body(item, 0);
            return;
        }

        (_body, _items, _done) = (body, items, 0);
        Interlocked.Exchange(ref _left, items);
        if (Volatile.Read(ref _sleeping) > 0)
        {
            lock (_sleep)
                Monitor.PulseAll(_sleep);
        }

        TakeItems(worker: 0);
        var spinner = new SpinWait();
        while (Volatile.Read(ref _done) < items)
            spinner.SpinOnce(sleep1Threshold: -1);
        if (Interlocked.Exchange(ref _fault, null) is { } fault)
            ExceptionDispatchInfo.Throw(fault);
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
            while (Volatile.Read(ref _left) <= 0 && Stopwatch.GetTimestamp() < end)
                Thread.SpinWait(8);
            if (Volatile.Read(ref _left) <= 0)
                Sleep();
            TakeItems(worker);
        }
    }

    // _sleeping is raised before _left is read here, and _left is set before _sleeping is read in Run: one of the two sees
    // the other, so no region is slept through.
    private void Sleep()
    {
        lock (_sleep)
        {
            Interlocked.Increment(ref _sleeping);
            while (Volatile.Read(ref _left) <= 0)
                Monitor.Wait(_sleep);
            Interlocked.Decrement(ref _sleeping);
        }
    }

    // An item once taken keeps its region open, so _body and _items cannot change under it.
    private void TakeItems(int worker)
    {
        while (Volatile.Read(ref _left) > 0)
        {
            int left = Interlocked.Decrement(ref _left);
            if (left < 0)
                return;
            try
            {
                _body!(_items - 1 - left, worker);
            }
            catch (Exception e)
            {
                Interlocked.CompareExchange(ref _fault, e, null);
            }

            Interlocked.Increment(ref _done);
        }
    }

    /// <summary>The right to run regions.</summary>
    internal readonly ref struct Turn(Lock gate)
    {
        /// <summary>Lets the next one in.</summary>
        public void Dispose() => gate.Exit();
    }
}
