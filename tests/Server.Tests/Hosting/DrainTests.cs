using Serving.Server.Hosting;

namespace Serving.Server.Tests.Hosting;

public sealed class DrainTests
{
    [Fact]
    public void Begin_NothingInFlight_IsIdleAtOnce()
    {
        using var drain = new Drain();
        Assert.False(drain.Idle.IsCompleted);
        drain.Begin();
        Assert.True(drain.Idle.IsCompleted);
        Assert.False(drain.TryEnter());
    }

    [Fact]
    public async Task Begin_WorkInFlight_IsIdleAfterTheLast()
    {
        using var drain = new Drain();
        Assert.True(drain.TryEnter());
        Assert.True(drain.TryEnter());
        drain.Begin();
        drain.Leave();
        Assert.False(drain.Idle.IsCompleted);
        drain.Leave();
        await drain.Idle.WaitAsync(TimeSpan.FromSeconds(10));
        Assert.False(drain.Forced.IsCancellationRequested);
    }

    [Fact]
    public void Force_WorkInFlight_CancelsIt()
    {
        using var drain = new Drain();
        Assert.True(drain.TryEnter());
        drain.Force();
        Assert.True(drain.IsDraining);
        Assert.True(drain.Forced.IsCancellationRequested);
    }
}
