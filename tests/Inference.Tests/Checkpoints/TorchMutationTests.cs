using System.IO.Compression;
using Serving.Inference.Checkpoints;
using Serving.Testing;

namespace Serving.Inference.Tests.Checkpoints;

/// <summary>Damages good files in thousands of ways: each result is read or refused, and needs little memory.</summary>
public sealed class TorchMutationTests : IDisposable
{
    private const long MaxAllocation = 96L << 20;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Read_MutatedPickle_SucceedsOrIsRefused(int seed)
    {
        using ZipArchive archive = ZipFile.OpenRead(TestData.Path("checkpoints", "pickle", "pytorch_model.bin"));
        using Stream entry = archive.GetEntry("pytorch_model/data.pkl")!.Open();
        var whole = new MemoryStream();
        entry.CopyTo(whole);
        var random = new Random(seed);
        int refused = 0;
        for (int i = 0; i < 3000; i++)
        {
            byte[] mutation = Mutate(whole.ToArray(), random, 0, (int)whole.Length);
            refused += Try(() => TorchPickle.Read("m.bin", mutation, null));
        }

        Assert.InRange(refused, 1000, 3000);
    }

    [Fact]
    public void Open_MutatedArchive_SucceedsOrIsRefused()
    {
        byte[] whole = File.ReadAllBytes(TestData.Path("checkpoints", "table", "normalized_embeddings_weights.pt"));
        int directory = whole.AsSpan().IndexOf("PK\x1\x2"u8);
        var random = new Random(3);
        int refused = 0;
        for (int i = 0; i < 1500; i++)
        {
            // The pickle and the first headers, or the directory: what lies between is the tensor's values.
            byte[] mutation = i % 2 == 0 ? Mutate(whole, random, 0, 700) : Mutate(whole, random, directory, whole.Length);
            string path = _folder.Write("m.pt", mutation);
            refused += Try(() =>
            {
                using TorchArchive archive = TorchArchive.Open(path, "x");
                foreach (Tensor tensor in archive.Tensors.Values)
                    tensor.Read(0, new byte[tensor.Bytes]);
            });
        }

        Assert.InRange(refused, 500, 1500);
    }

    private static int Try(Action read)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        int refused = 0;
        try
        {
            read();
        }
        catch (CheckpointException)
        {
            refused = 1;
        }

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, MaxAllocation);
        return refused;
    }

    private static byte[] Mutate(byte[] whole, Random random, int from, int to)
    {
        List<byte> bytes = [.. whole];
        for (int edits = random.Next(1, 4); edits > 0; edits--)
        {
            int at = random.Next(from, Math.Min(to, bytes.Count - 16));
            int count = random.Next(1, 16);
            switch (random.Next(5))
            {
                case 0: bytes[at] ^= (byte)(1 << random.Next(8)); break;
                case 1: bytes[at] = (byte)random.Next(256); break;
                case 2: bytes.RemoveRange(at, count); break;
                case 3: bytes.InsertRange(at, bytes.GetRange(random.Next(from, Math.Min(to, bytes.Count - 16)), count)); break;
                default: bytes.InsertRange(at, Enumerable.Repeat((byte)random.Next(256), count)); break;
            }
        }

        return [.. bytes];
    }
}
