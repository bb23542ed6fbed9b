using Serving.Inference;

namespace Serving.Server.Tests.Hosting;

/// <summary>A model of a few tokens that computes a step only when the test lets it: always the token "A".</summary>
internal sealed class GatedBackend : IBackend
{
    private const int TokenA = 37;

    private readonly SemaphoreSlim _gate = new(0);
    private volatile bool _isDisposed;
    private volatile Action? _beat;

    public ModelShape Shape => new(256, 1024) { HiddenWidth = 4 };

    public KvCapacity Kv => new(256, 16);

    /// <summary>Whether the next step fails.</summary>
    public bool IsBroken { get; set; }

    /// <summary>Lets the model compute this many steps.</summary>
    public void Allow(int steps)
    {
        if (!_isDisposed)
            _gate.Release(steps);
    }

    /// <summary>Gives a sign of life for the step that waits.</summary>
    public void Beat() => _beat?.Invoke();

    public void Forward(ForwardBatch batch, Span<float> logits)
    {
        _beat = batch.Beat;
        _gate.Wait();
        if (IsBroken)
            throw new InvalidOperationException("secret detail of a broken model");
        logits.Clear();
        for (int row = 0; row < batch.LogitRows; row++)
            logits[(row * Shape.VocabularySize) + TokenA] = 10;
    }

    public void Dispose()
    {
        _isDisposed = true;
        _gate.Dispose();
    }
}
