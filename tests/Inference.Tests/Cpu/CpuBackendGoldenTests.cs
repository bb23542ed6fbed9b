using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu;
using Serving.Inference.Cpu.Kernels;

namespace Serving.Inference.Tests.Cpu;

/// <summary>The backend against PyTorch, in float32 throughout.</summary>
public sealed class CpuBackendGoldenTests
{
    private const double Tolerance = 1e-4;

    public static TheoryData<string, string, int> Runs()
    {
        var runs = new TheoryData<string, string, int>();
        foreach (string variant in GoldenCheckpoint.Root.Models.Select(model => model.Id))
        {
            foreach (KernelSet kernels in KernelSet.Available)
            {
                runs.Add(variant, kernels.Name, 1);
                runs.Add(variant, kernels.Name, 5);
                runs.Add(variant, kernels.Name, 64);
            }
        }

        return runs;
    }

    [Theory]
    [MemberData(nameof(Runs))]
    public void Forward_GoldenCheckpoint_GivesLogitsLogprobsAndContinuation(string variant, string kernels, int chunk)
    {
        using LoadedModel model = GoldenCheckpoint.Load(variant);
        using var weights = new CpuExperts(model, new CpuOptions
        {
            Threads = 2,
            KvBlocks = 8,
            Kernels = KernelSet.Available.Single(set => set.Name == kernels),
        });
        using IBackend backend = weights.NewBackend();
        foreach (GoldenCheckpoint.Case expected in GoldenCheckpoint.Cases(variant))
        {
            var sequence = new Sequence(backend, [5, 0, 7]);
            float[][] logits = sequence.Run(expected.Ids, chunk);
            AssertClose(expected.LastLogits, logits[^1]);
            for (int i = 1; i < expected.Ids.Length; i++)
                Assert.Equal(expected.PromptLogprobs[i]!.Value, LogProbability(logits[i - 1], expected.Ids[i]), Tolerance);
            Assert.Equal(expected.Greedy, Continue(sequence, logits[^1], expected.Greedy.Length));
        }
    }

    private static List<int> Continue(Sequence sequence, float[] logits, int count)
    {
        var tokens = new List<int>();
        while (tokens.Count < count)
        {
            tokens.Add(Array.IndexOf(logits, logits.Max()));
            if (tokens.Count < count)
                logits = sequence.Run([tokens[^1]], 1)[0];
        }

        return tokens;
    }

    private static void AssertClose(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i], actual[i], (float)Tolerance);
    }

    private static double LogProbability(float[] logits, int token)
    {
        double max = logits.Max();
        return logits[token] - max - Math.Log(logits.Sum(logit => Math.Exp(logit - max)));
    }
}
