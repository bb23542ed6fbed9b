using System.Diagnostics.Metrics;
using Microsoft.Extensions.Options;
using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu;
using Serving.Server.Errors;
using Serving.Server.Hosting;
using Serving.Server.Telemetry;

namespace Serving.Server.Health;

/// <summary>
/// Refuses new requests when the process comes near its memory limit, before the kernel kills it, and takes them again when it is
/// well below: two thresholds, so that it does not flutter. Thread-safe.
/// </summary>
internal sealed class MemoryGate
{
    private static readonly TimeSpan SampleAge = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan CollectionPause = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private readonly MemoryOptions _options;
    private readonly TimeProvider _time;
    private readonly Func<long> _used;
    private long? _sampled;
    private long? _collected;
    private long _usedBytes;
    private bool _isClosed;

    public MemoryGate(IOptions<ServingOptions> options, IMeterFactory meters)
        : this(options.Value.Memory, TimeProvider.System, () => Environment.WorkingSet)
    {
        Meter own = meters.Create(ServingMeters.Requests);
        own.CreateObservableGauge("serving.memory.limit", () => LimitBytes, "By", "Of the control group, the setting or the machine.");
        own.CreateObservableGauge("serving.memory.used", () => Sample(), "By", "Resident memory of the process.");
        own.CreateObservableGauge("serving.memory.pressure", () => IsClosed ? 1 : 0, null, "1 while new requests are refused for lack of memory.");
    }

    /// <param name="options">Limit and thresholds.</param>
    /// <param name="time">The clock.</param>
    /// <param name="used">Reads the bytes in use.</param>
    public MemoryGate(MemoryOptions options, TimeProvider time, Func<long> used)
    {
        (_options, _time, _used) = (options, time, used);
        LimitBytes = options.LimitMiB > 0
            ? (long)options.LimitMiB << 20
            : CgroupMemory.Limit() ?? GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
    }

    public long LimitBytes { get; }

    /// <summary>Whether new requests are refused now.</summary>
    public bool IsClosed
    {
        get
        {
            Sample();
            return Volatile.Read(ref _isClosed);
        }
    }

    /// <exception cref="ApiException">503 memory_pressure.</exception>
    public void ThrowIfClosed()
    {
        if (IsClosed)
            throw new ApiException(ErrorTable.MemoryPressure());
    }

    /// <summary>Checks before any of a model is read that it fits and can answer one request at a time; what more of its K/V memory can
    /// be used shows when it is.</summary>
    /// <exception cref="CheckpointException">It does not.</exception>
    public void CheckRoom(string place, MemoryPlan plan)
    {
        long needed = plan.LeastBytes, free = FreeBytes();
        if (needed <= free)
            return;
        throw new CheckpointException(place, "memory", $"at most the {MiB(free)} MiB that are left of {MiB(LimitBytes)} MiB",
            $"{MiB(needed)} MiB: {MiB(plan.WeightBytes)} MiB of weights, {MiB(plan.LeastKvBytes)} of K/V for one full context, {MiB(plan.WorkspaceBytes)} of workspace",
            "Give the process more memory, serve fewer models, or lower the model's block_size or Serving:Batch:KvTokens.");
    }

    /// <summary>Checks that what an ensemble takes beside its members' weights fits, before any of it is taken: workspaces, and keys and
    /// values of one request in all members.</summary>
    /// <exception cref="ApiException">503 memory_pressure: it does not.</exception>
    public void CheckRoom(MemoryPlan ensemble)
    {
        long needed = ensemble.LeastBytes - ensemble.WeightBytes, free = FreeBytes();
        if (needed > free)
            throw new ApiException(ErrorTable.NoRoomForEnsemble(MiB(needed), MiB(free)));
    }

    private long FreeBytes() => (LimitBytes / 100 * _options.RefusePercent) - Sample();

    private long Sample()
    {
        lock (_lock)
        {
            if (_sampled is { } last && _time.GetElapsedTime(last) < SampleAge)
                return _usedBytes;
            _sampled = _time.GetTimestamp();
            _usedBytes = _used();
            long percent = _usedBytes * 100 / LimitBytes;
            _isClosed = percent >= (_isClosed ? _options.ResumePercent : _options.RefusePercent);
            if (_isClosed)
                CollectGarbage();
            return _usedBytes;
        }
    }

    // What is refused allocates nothing, so nothing else would give memory back.
    private void CollectGarbage()
    {
        if (_collected is { } last && _time.GetElapsedTime(last) < CollectionPause)
            return;
        _collected = _time.GetTimestamp();
        ThreadPool.QueueUserWorkItem(_ => GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true));
    }

    private static long MiB(long bytes) => Math.Max(0, bytes) >> 20;
}
