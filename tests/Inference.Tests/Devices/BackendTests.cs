using System.Text.Json;
using Serving.Inference.Checkpoints;
using Serving.Inference.Devices;
using Serving.Inference.Tests.Cpu;
using Serving.Inference.Tests.Ensembles;
using Serving.Testing;

namespace Serving.Inference.Tests.Devices;

/// <summary>What every backend promises, on every device: the same tests over one factory.</summary>
public sealed class BackendTests
{
    private const double Tolerance = 1e-4;

    public static TheoryData<string, string, int> Goldens()
    {
        var runs = new TheoryData<string, string, int>();
        foreach (string device in new[] { TestDevices.Cpu, TestDevices.TorchCpu, TestDevices.Cuda })
        {
            foreach (ModelFolder model in GoldenCheckpoint.Root.Models)
            {
                foreach (int chunk in new[] { 1, 5, 64 })
                    runs.Add(device, model.Id, chunk);
            }
        }

        return runs;
    }

    [Theory]
    [MemberData(nameof(Goldens))]
    public void Forward_GoldenCheckpoint_GivesPyTorchsLogitsAndContinuation(string device, string variant, int chunk)
    {
        using IBackend backend = DeviceExperts.Load(TestDevices.Open(device), variant);
        foreach (GoldenCheckpoint.Case expected in GoldenCheckpoint.Cases(variant))
        {
            var sequence = new Sequence(backend, [5, 0, 7]);
            float[] last = sequence.Run(expected.Ids, chunk)[^1];
            AssertClose(expected.LastLogits, last);
            foreach (int token in expected.Greedy)
            {
                Assert.Equal(token, Array.IndexOf(last, last.Max()));
                last = sequence.Run([token], 1)[0];
            }
        }
    }

    [Theory]
    [MemberData(nameof(TestDevices.All), MemberType = typeof(TestDevices))]
    public void Forward_HiddenSum_IsPyTorchsForAnyChunking(string device)
    {
        foreach (string variant in new[] { "plain", "rms", "nofinal", "narrow" })
        {
            using IBackend backend = DeviceExperts.Load(TestDevices.Open(device), variant);
            using JsonDocument golden = JsonDocument.Parse(File.ReadAllBytes(TestData.Path("hidden", variant + ".json")));
            foreach (JsonElement sample in golden.RootElement.GetProperty("cases").EnumerateArray())
            {
                int[] ids = sample.GetProperty("ids").Deserialize<int[]>()!;
                double[] expected = sample.GetProperty("last").Deserialize<double[]>()!;
                foreach (int chunk in new[] { ids.Length, 1, 5 })
                    Assert.All(expected.Zip(HiddenSum(backend, ids, chunk)), pair => Assert.Equal(pair.First, pair.Second / ids.Length, Tolerance));
            }
        }
    }

    [Theory]
    [MemberData(nameof(TestDevices.All), MemberType = typeof(TestDevices))]
    public void Forward_SameBatchTwice_GivesTheSameBits(string device)
    {
        using IBackend backend = DeviceExperts.Create(TestDevices.Open(device));
        Experts.AssertSameBits(RunRagged(backend), RunRagged(backend));
    }

    // Bit for bit where the device promises it; where kernels are chosen by shape, up to rounding.
    [Theory]
    [MemberData(nameof(TestDevices.All), MemberType = typeof(TestDevices))]
    public void Forward_RaggedBatch_GivesWhatEachSequenceGetsAlone(string device)
    {
        IDevice opened = TestDevices.Open(device);
        using IBackend backend = DeviceExperts.Create(opened);
        float[][] together = RunRagged(backend), alone = RunAlone(backend);
        if (opened.IsBatchInvariant)
            Experts.AssertSameBits(alone, together);
        Assert.Equal(alone.Length, together.Length);
        for (int row = 0; row < alone.Length; row++)
            AssertClose(alone[row], together[row]);
    }

    [Theory]
    [MemberData(nameof(TestDevices.All), MemberType = typeof(TestDevices))]
    public void Forward_BlockWhoseEarlierOwnerBroke_IsAsGoodAsNew(string device)
    {
        using IBackend backend = DeviceExperts.Create(TestDevices.Open(device), BrokenExperts.Create(seed: 1, brokenToken: 17));
        float[][] clean = new Sequence(backend, [5, 0, 7]).Run(Experts.Tokens(3, 20), 7);
        float[][] broken = new Sequence(backend, [5, 0, 7]).Run([.. Enumerable.Repeat(17, 48)], 48);
        Assert.All(broken, row => Assert.Contains(row, logit => !float.IsFinite(logit)));
        Experts.AssertSameBits(clean, new Sequence(backend, [5, 0, 7]).Run(Experts.Tokens(3, 20), 7));
    }

    [Theory]
    [MemberData(nameof(TestDevices.All), MemberType = typeof(TestDevices))]
    public void Forward_BadBatch_IsRefusedAndTheNextOneIsComputed(string device)
    {
        using IBackend backend = DeviceExperts.Create(TestDevices.Open(device));
        var batch = new ForwardBatch();
        batch.Add([1, backend.Shape.VocabularySize], 0, [0], 1);
        Assert.ThrowsAny<ArgumentException>(() => Sequence.Forward(backend, batch));
        batch.Clear();
        batch.Add([1], 0, [backend.Kv.Blocks], 1);
        Assert.ThrowsAny<ArgumentException>(() => Sequence.Forward(backend, batch));
        batch.Clear();
        batch.Add([1], backend.Shape.ContextTokens, [0, 1, 2, 3, 4, 5, 6, 7], 1);
        Assert.ThrowsAny<ArgumentException>(() => Sequence.Forward(backend, batch));
        Assert.All(RunRagged(backend), row => Assert.All(row, logit => Assert.True(float.IsFinite(logit))));
    }

    [Theory]
    [MemberData(nameof(TestDevices.All), MemberType = typeof(TestDevices))]
    public void Load_TwoExpertsOnOneTable_HoldEqualWeightsOnce(string device)
    {
        IDevice opened = TestDevices.Open(device);
        using LoadedModel model = GoldenCheckpoint.Load("plain");
        using IExperts first = opened.Load("first", model.Experts), second = opened.Load("second", [Experts.Weights(model, 1)]);
        WeightPiece[] own = [.. second.Pieces.Except(first.Pieces)];
        Assert.Single(own); // the other head's matrix
        Assert.Equal(first.Pieces.Sum(piece => piece.Bytes), second.Pieces.Sum(piece => piece.Bytes));
    }

    private static double[] HiddenSum(IBackend backend, int[] ids, int chunk)
    {
        var batch = new ForwardBatch();
        // What an earlier prompt left must not matter.
        double[] sum = [.. Enumerable.Repeat(double.NaN, backend.Shape.HiddenWidth)];
        for (int start = 0; start < ids.Length; start += chunk)
        {
            batch.Clear();
            batch.Add(ids.AsSpan(start, Math.Min(chunk, ids.Length - start)), start, [2, 0, 1], 0, sum);
            backend.Forward(batch, []);
        }
        return sum;
    }

    // Two sequences that have come some way, a whole prompt, the end of one, a piece of one that asks for nothing, and guesses.
    private static (int[] Tokens, int Before, int Rows, int[] Blocks)[] Ragged() =>
    [
        (Experts.Tokens(1, 20), 19, 1, [9, 3]),
        (Experts.Tokens(2, 18), 0, 18, [1, 2]),
        (Experts.Tokens(3, 40), 39, 1, [4, 8, 6]),
        (Experts.Tokens(4, 33), 20, 2, [10, 11, 12]),
        (Experts.Tokens(5, 12), 0, 0, [13]),
        (Experts.Tokens(6, 18), 13, 5, [14, 15]),
        (Experts.Tokens(7, 18), 0, 1, [16, 17]),
        (Experts.Tokens(8, 1), 0, 1, [18]),
    ];

    private static float[][] RunRagged(IBackend backend)
    {
        var batch = new ForwardBatch();
        foreach ((int[] tokens, int before, _, int[] blocks) in Ragged().Where(each => each.Before > 0))
        {
            batch.Add(tokens.AsSpan(0, before), 0, [.. blocks], 0);
        }
        Sequence.Forward(backend, batch);
        batch.Clear();
        foreach ((int[] tokens, int before, int rows, int[] blocks) in Ragged())
            batch.Add(tokens.AsSpan(before), before, [.. blocks], rows);
        return Sequence.Forward(backend, batch);
    }

    private static float[][] RunAlone(IBackend backend) =>
        [.. Ragged().SelectMany(each => new Sequence(backend, each.Blocks).Run(each.Tokens, 64)[^each.Rows..])];

    private static void AssertClose(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i], actual[i], (float)Tolerance);
    }
}
