using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu;
using Serving.Server.Errors;
using Serving.Server.Health;
using Serving.Server.Hosting;

namespace Serving.Server.Tests.Health;

public sealed class MemoryGateTests
{
    private readonly SteppedClock _clock = new();
    private long _used;

    [Fact]
    public void IsClosed_UseRisesAndFalls_ClosesAboveAndOpensOnlyWellBelow()
    {
        MemoryGate gate = Create();
        (int MiB, bool IsClosed)[] steps = [(10, false), (91, false), (92, true), (91, true), (85, true), (84, false), (91, false)];
        Assert.All(steps, step => Assert.Equal(step.IsClosed, IsClosedAt(gate, step.MiB)));
    }

    [Fact]
    public void ThrowIfClosed_Closed_Is503WithRetryAfter()
    {
        MemoryGate gate = Create();
        Assert.True(IsClosedAt(gate, 99));
        ApiFailure failure = Assert.Throws<ApiException>(gate.ThrowIfClosed).Failure;
        Assert.Equal((503, "memory_pressure", 2), (failure.Status, failure.Error.Code, failure.RetryAfterSeconds));
    }

    [Fact]
    public void CheckRoom_ModelLargerThanWhatIsLeft_IsRefusedInWords()
    {
        MemoryGate gate = Create();
        _used = 50L << 20;
        gate.CheckRoom("models/small", new MemoryPlan(31L << 20, 0, 0, 10L << 20));
        CheckpointException refusal = Assert.Throws<CheckpointException>(() => gate.CheckRoom("models/big", new MemoryPlan(30L << 20, 0, 0, 8L << 20) { LeastKvBytes = 5L << 20 }));
        Assert.Contains("43 MiB", refusal.Message);
        Assert.Contains("100 MiB", refusal.Message);
    }

    [Fact]
    public void CheckRoom_EnsembleWhoseKeysAndValuesDoNotFit_Is503()
    {
        MemoryGate gate = Create();
        _used = 50L << 20;
        // Of 42 MiB; weights are in memory already.
        gate.CheckRoom(new MemoryPlan(WeightBytes: 90L << 20, KvBytes: 99L << 20, KvTokens: 1, WorkspaceBytes: 11L << 20) { LeastKvBytes = 30L << 20 });
        ApiFailure failure = Assert.Throws<ApiException>(
            () => gate.CheckRoom(new MemoryPlan(0, KvBytes: 99L << 20, KvTokens: 1, WorkspaceBytes: 13L << 20) { LeastKvBytes = 30L << 20 })).Failure;
        Assert.Equal((503, "memory_pressure"), (failure.Status, failure.Error.Code));
        Assert.Contains("43 MiB", failure.Error.Message);
    }

    [Theory]
    [InlineData("0::/pod/box", "pod/box/memory.max", "1048576", 1048576L)]
    [InlineData("0::/pod/box", "memory.max", "2097152", 2097152L)]
    [InlineData("0::/pod/box", "pod/box/memory.max", "max", null)]
    [InlineData("4:memory:/a", "memory/a/memory.limit_in_bytes", "1048576", 1048576L)]
    [InlineData("4:memory:/a", "memory/a/memory.limit_in_bytes", "9223372036854771712", null)]
    [InlineData("4:cpu:/a", "memory.max", "1048576", null)]
    public void Limit_OfEitherCgroupVersion_IsTheTightest(string membership, string file, string content, long? expected)
    {
        string folder = Directory.CreateTempSubdirectory("cgroup-").FullName;
        try
        {
            string limit = Path.Combine(folder, file);
            Directory.CreateDirectory(Path.GetDirectoryName(limit)!);
            File.WriteAllText(limit, content + "\n");
            File.WriteAllText(Path.Combine(folder, "membership"), membership + "\n");
            Assert.Equal(expected, CgroupMemory.Limit(Path.Combine(folder, "membership"), folder));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private MemoryGate Create() => new(new MemoryOptions { LimitMiB = 100 }, _clock, () => _used);

    private bool IsClosedAt(MemoryGate gate, long mib)
    {
        _used = mib << 20;
        _clock.Advance(TimeSpan.FromSeconds(1));
        return gate.IsClosed;
    }

    private sealed class SteppedClock : TimeProvider
    {
        private long _now;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public void Advance(TimeSpan time) => _now += time.Ticks;

        public override long GetTimestamp() => _now;
    }
}
