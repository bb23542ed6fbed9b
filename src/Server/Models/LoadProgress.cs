using System.Diagnostics;

namespace Serving.Server.Models;

/// <summary>How far the loading of a model is, and what each phase took. Written by one loader, read by anybody.</summary>
internal sealed class LoadProgress : IProgress<double>
{
    /// <summary>Headers, table, tokenizer.</summary>
    public const string Read = "read";

    /// <summary>Weights, laid out for the kernels; nearly all of the time.</summary>
    public const string Pack = "pack";

    /// <summary>K/V memory and the engine.</summary>
    public const string Start = "start";

    private static readonly Dictionary<string, (int From, int To)> Percents = new() { [Read] = (0, 5), [Pack] = (5, 95), [Start] = (95, 100) };

    private long _begun;
    private int _percent;

    /// <summary>The phase it is in; null before and after.</summary>
    public string? Phase { get; private set; }

    /// <summary>0 to 100.</summary>
    public int Percent => Volatile.Read(ref _percent);

    /// <summary>Seconds of each phase that is over, of the last loading.</summary>
    public IReadOnlyDictionary<string, double> Times { get; private set; } = new Dictionary<string, double>();

    /// <summary>Ends the phase before and begins one; null ends the last.</summary>
    public void Enter(string? phase)
    {
        long now = Stopwatch.GetTimestamp();
        if (Phase is { } before)
            Times = new Dictionary<string, double>(Times) { [before] = Stopwatch.GetElapsedTime(_begun, now).TotalSeconds };
        (_begun, Phase) = (now, phase);
        Volatile.Write(ref _percent, phase is null ? 100 : Percents[phase].From);
    }

    /// <summary>How much of the phase is done, 0 to 1.</summary>
    public void Report(double value)
    {
        (int from, int to) = Percents[Phase ?? Start];
        Volatile.Write(ref _percent, from + (int)(value * (to - from)));
    }
}
