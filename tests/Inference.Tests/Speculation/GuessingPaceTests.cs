using Serving.Inference.Speculation;

namespace Serving.Inference.Tests.Speculation;

public class GuessingPaceTests
{
    private readonly HandClock _clock = new();

    // A step of one token takes a second; one with guesses gives some more tokens and takes longer.
    [Theory]
    [InlineData(1.3, 2, false)]
    [InlineData(2.5, 2, true)]
    public void Guesses_AfterTrials_IsWhateverGivesTokensFaster(double tokens, int seconds, bool pays)
    {
        var pace = new GuessingPace(_clock);
        Run(pace, 2 * GuessingPace.TrialSteps, _ => (tokens, seconds));
        Assert.Equal(pays, pace.Guesses);
        int guessing = Run(pace, 10 * (GuessingPace.KeptSteps + GuessingPace.TrialSteps), _ => (tokens, seconds));
        Assert.Equal(pays ? 10 * GuessingPace.KeptSteps : 10 * GuessingPace.TrialSteps, guessing);
    }

    [Fact]
    public void Guesses_TextBeginsToRepeatItself_IsFoundOut()
    {
        var pace = new GuessingPace(_clock);
        Run(pace, 2 * GuessingPace.TrialSteps, _ => (1, 2));
        Assert.False(pace.Guesses);
        Run(pace, GuessingPace.KeptSteps + GuessingPace.TrialSteps, _ => (4, 2));
        Assert.True(pace.Guesses);
    }

    private int Run(GuessingPace pace, int steps, Func<int, (double Tokens, int Seconds)> guessed)
    {
        int guessing = 0;
        for (int step = 0; step < steps; step++)
        {
            bool guesses = pace.Guesses;
            guessing += guesses ? 1 : 0;
            (double tokens, int seconds) = guesses ? guessed(step) : (1, 1);
            pace.Begin();
            _clock.Seconds += seconds;
            pace.End(tokens);
        }
        return guessing;
    }

    private sealed class HandClock : TimeProvider
    {
        public long Seconds { get; set; }

        public override long TimestampFrequency => 1;

        public override long GetTimestamp() => Seconds;
    }
}
