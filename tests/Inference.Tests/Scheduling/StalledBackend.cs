namespace Serving.Inference.Tests.Scheduling;

/// <summary>Holds a backend's first pass until it is released, so that a test knows what the engine loop is doing.</summary>
internal sealed class StalledBackend : IDisposable
{
    private readonly ManualResetEventSlim _entered = new();
    private readonly ManualResetEventSlim _released = new();

    public StalledBackend(ReadBackBackend inner)
    {
        inner.BeforeForward = _ =>
        {
            _entered.Set();
            _released.Wait();
        };
    }

    public void AwaitPass() => _entered.Wait();

    public void Release() => _released.Set();

    public void Dispose()
    {
        _released.Set();
        _entered.Dispose();
    }
}
