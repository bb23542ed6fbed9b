using System.Text.Json;
using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu;
using Serving.Testing;

namespace Serving.Inference.Tests.Cpu;

/// <summary>Sums of final hidden states against PyTorch, which wrote the means in <c>tests/data/hidden</c>.</summary>
public sealed class CpuBackendHiddenTests
{
    private const double Tolerance = 1e-4;

    [Theory]
    [InlineData("plain")]
    [InlineData("rms")]
    [InlineData("nofinal")]
    [InlineData("narrow")]
    public void Forward_HiddenSum_IsPyTorchsForAnyChunking(string variant)
    {
        using LoadedModel model = GoldenCheckpoint.Load(variant);
        using var backend = new CpuBackend(model.Weights, new CpuOptions { KvBlocks = 3 });
        using JsonDocument golden = JsonDocument.Parse(File.ReadAllBytes(TestData.Path("hidden", variant + ".json")));
        foreach (JsonElement sample in golden.RootElement.GetProperty("cases").EnumerateArray())
        {
            int[] ids = sample.GetProperty("ids").Deserialize<int[]>()!;
            double[] expected = sample.GetProperty("last").Deserialize<double[]>()!;
            double[] whole = Sum(backend, ids, ids.Length);
            Assert.Equal(expected.Length, backend.Shape.HiddenWidth);
            Assert.All(expected.Zip(whole), pair => Assert.Equal(pair.First, pair.Second / ids.Length, Tolerance));
            Assert.Equal(whole, Sum(backend, ids, 1));
            Assert.Equal(whole, Sum(backend, ids, 5));
        }
    }

    private static double[] Sum(CpuBackend backend, int[] ids, int chunk)
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
}
