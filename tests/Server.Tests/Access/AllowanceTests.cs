using Serving.Server.Access;

namespace Serving.Server.Tests.Access;

public sealed class AllowanceTests
{
    private readonly Clock _clock = new();

    [Fact]
    public void TryTake_AMinutesWorth_ComesBackEvenly()
    {
        var allowance = new Allowance(60, _clock);
        Assert.True(allowance.TryTake(60, out _, out _));
        Assert.False(allowance.TryTake(5, out _, out int retry));
        Assert.Equal(5, retry);
        _clock.Pass(4.9);
        Assert.False(allowance.TryTake(5, out _, out _));
        _clock.Pass(0.2);
        Assert.True(allowance.TryTake(5, out _, out _));
        Assert.Equal((0, 60), (allowance.State.Remaining, (int)Math.Ceiling(allowance.State.Reset.TotalSeconds)));
        _clock.Pass(1000);
        Assert.Equal((60, TimeSpan.Zero), allowance.State);
    }

    [Fact]
    public void TryTake_MoreThanAMinutesWorth_TakesAFullBucketAndOwesTheRest()
    {
        var allowance = new Allowance(100, _clock);
        Assert.True(allowance.TryTake(500, out long taken, out _));
        Assert.Equal(100, taken);
        allowance.GiveBack(taken - 300);
        _clock.Pass(100);
        Assert.False(allowance.TryTake(1, out _, out _));
        _clock.Pass(21);
        Assert.True(allowance.TryTake(1, out _, out _));
    }

    [Fact]
    public void GiveBack_MoreThanWasTaken_DoesNotOverfill()
    {
        var allowance = new Allowance(10, _clock);
        Assert.True(allowance.TryTake(1, out _, out _));
        allowance.GiveBack(50);
        Assert.Equal(10, allowance.State.Remaining);
    }

    [Theory]
    [InlineData(1_000_000, 1)]
    [InlineData(1, 60)]
    public void TryTake_Refused_AsksToWaitOneToAHundredAndTwentySeconds(int perMinute, int expected)
    {
        var allowance = new Allowance(perMinute, _clock);
        Assert.True(allowance.TryTake(perMinute, out _, out _));
        Assert.False(allowance.TryTake(1, out _, out int retry));
        Assert.Equal(expected, retry);
        allowance.GiveBack(-1000L * perMinute);
        Assert.False(allowance.TryTake(1, out _, out retry));
        Assert.Equal(120, retry);
    }

    private sealed class Clock : TimeProvider
    {
        private long _ticks;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _ticks;

        public void Pass(double seconds) => _ticks += TimeSpan.FromSeconds(seconds).Ticks;
    }
}
