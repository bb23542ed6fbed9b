namespace Serving.Inference.Speculation;

/// <summary>
/// Finds out by the clock whether guessing ahead pays, because that depends on how often guesses are right, on what drafting costs, on
/// the machine and on how many sequences run: both ways are tried for a few steps, the faster one is kept for many, then the
/// other is tried again. Changes speed, never a result.
/// </summary>
/// <remarks>Owned by the engine loop.</remarks>
/// <param name="time">The clock.</param>
internal sealed class GuessingPace(TimeProvider time)
{
    /// <summary>Steps of a trial.</summary>
    public const int TrialSteps = 16;

    /// <summary>Steps between trials: one that loses by half costs 3 % of all.</summary>
    public const int KeptSteps = 512;

    private long _begun;
    private int _steps;
    private int _window = TrialSteps;
    private bool _isTrial;
    private double _tokens;
    private double _seconds;
    private double _keptRate;

    /// <summary>Whether the next step is to guess.</summary>
    public bool Guesses { get; private set; } = true;

    /// <summary>A step begins, drafting included.</summary>
    public void Begin() => _begun = time.GetTimestamp();

    /// <summary>The step that began last is over.</summary>
    /// <param name="tokens">Tokens that each sequence got by it, on average.</param>
    public void End(double tokens)
    {
        _seconds += time.GetElapsedTime(_begun).TotalSeconds;
        _tokens += tokens;
        if (++_steps < _window)
            return;
        double rate = _tokens / _seconds;
        (_steps, _tokens, _seconds) = (0, 0, 0);
        if (_isTrial)
        {
            if (rate < _keptRate)
                Guesses = !Guesses;
            (_isTrial, _window) = (false, KeptSteps);
        }
        else
        {
            (_keptRate, Guesses) = (rate, !Guesses);
            (_isTrial, _window) = (true, TrialSteps);
        }
    }
}
