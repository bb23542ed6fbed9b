using Serving.Inference.Sampling;
using Serving.Inference.Torch;
using TorchSharp;

namespace Serving.Inference.Tests.Torch;

/// <summary>Picks on a device against the host's sampler.</summary>
public sealed class DevicePickerTests
{
    private const int Vocabulary = 997;

    [Fact]
    public void Pick_RandomRowsAndOptions_GivesTheSamplersTokens()
    {
        var random = new Random(5);
        var sampler = new Sampler(Vocabulary);
        var picker = new DevicePicker();
        for (int round = 0; round < 200; round++)
        {
            int rows = 1 + (round % 7);
            float[] logits = [.. Enumerable.Range(0, rows * Vocabulary).Select(_ => Logit(random))];
            TokenPick[] picks = [.. Enumerable.Range(0, rows).Select(row => random.Next(8) == 0 ? default : Pick(random, row))];
            if (!picks.Any(pick => pick.IsWanted))
                continue;
            int[] picked = Run(picker, logits, picks);
            foreach ((int index, TokenPick pick) in picks.Index().Where(pick => pick.Item.IsWanted))
            {
                ReadOnlySpan<float> row = logits.AsSpan(index * Vocabulary, Vocabulary);
                int token = picked[picks.Take(index).Count(each => each.IsWanted)];
                Assert.Equal((sampler.Sample(row, pick.Options, index), pick), (token, pick));
            }
        }
    }

    [Fact]
    public void Pick_RowWithoutAFiniteMaximum_GivesNone()
    {
        float[] logits = [.. Enumerable.Repeat(1f, 3 * Vocabulary)];
        logits[5] = float.NaN;
        logits[Vocabulary + 5] = float.PositiveInfinity;
        foreach (float topP in new[] { 1, 0.5f })
        {
            foreach (float temperature in new[] { 0, 1 })
            {
                TokenPick[] picks = [.. Enumerable.Range(0, 3).Select(_ => new TokenPick(new SamplingOptions(temperature, topP, 0, 0, 1), 0))];
                Assert.Equal([-1, -1, 0], Run(new DevicePicker(), logits, picks));
            }
        }
    }

    // Coarse steps, so that there are ties.
    private static float Logit(Random random) => random.Next(20) == 0 ? float.NegativeInfinity : random.Next(-60, 60) / 8f;

    private static TokenPick Pick(Random random, int row)
    {
        var options = new SamplingOptions(
            random.Next(3) * 0.7f, random.Next(2) == 0 ? 1 : 0.3f + (0.6f * random.NextSingle()), random.Next(3) * 40,
            random.Next(3) == 0 ? 0.02f : 0, (ulong)random.Next());
        return new TokenPick(options, Philox.NextDouble(options.Seed, (ulong)row));
    }

    private static int[] Run(DevicePicker picker, float[] logits, TokenPick[] picks)
    {
        using IDisposable mode = torch.inference_mode();
        using DisposeScope scope = torch.NewDisposeScope();
        torch.Tensor tokens = picker.Pick(torch.tensor(logits, [picks.Length, Vocabulary]), picks);
        return [.. tokens.data<long>().ToArray().Select(token => (int)token)];
    }
}
