namespace Serving.Inference.Devices;

/// <summary>Who stands on weights that are freed once: their maker, and every backend. Thread-safe.</summary>
/// <param name="weights">Named where they are asked for too late.</param>
/// <param name="free">Called when the last one has let go.</param>
internal sealed class Holders(IDisposable weights, Action free)
{
    private readonly Lock _lock = new();
    private int _count = 1;
    private bool _isMakerGone;

    /// <summary>One more.</summary>
    /// <exception cref="ObjectDisposedException">They are freed already.</exception>
    public void Hold()
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_count == 0, weights);
            _count++;
        }
    }

    /// <summary>One less; the last one frees them.</summary>
    public void Release()
    {
        lock (_lock)
        {
            if (--_count > 0)
                return;
        }
        free();
    }

    /// <summary>The maker lets go, however often it says so.</summary>
    public void ReleaseMaker()
    {
        lock (_lock)
        {
            if (_isMakerGone)
                return;
            _isMakerGone = true;
        }
        Release();
    }
}
