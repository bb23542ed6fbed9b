using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu;
using Serving.Inference.Devices;
using Serving.Inference.Tests.Checkpoints;
using Serving.Testing;

namespace Serving.Inference.Tests.Cpu;

/// <summary>Weights of equal content are in memory once.</summary>
public sealed unsafe class SharedBuffersTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Share_EqualBytes_AreOneBufferUntilTheLastHolderLeaves()
    {
        NativeBuffer first = SharedBuffers.Share(Filled(5000, 1)), second = SharedBuffers.Share(Filled(5000, 1));
        Assert.Same(first, second);
        SharedBuffers.Release(first);
        Assert.Equal(1, second.Bytes[4999]);
        SharedBuffers.Release(second);
        Assert.True(second.Bytes == null);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(63)]
    [InlineData(9_999)]
    [InlineData(5_001)] // outside of the sample
    public void Share_OneByteDiffers_AreTwo(int at)
    {
        NativeBuffer other = Filled(10_000, 1);
        other.Bytes[at] = 2;
        NativeBuffer first = SharedBuffers.Share(Filled(10_000, 1)), second = SharedBuffers.Share(other);
        Assert.NotSame(first, second);
        SharedBuffers.Release(first);
        SharedBuffers.Release(second);
    }

    [Fact]
    public void Pieces_GrownModel_ShareTheTableAndTheEarlierBlockToTheByte()
    {
        using CpuExperts small = Stage("small", blocks: 1), large = Stage("large", blocks: 2);
        WeightPiece[] shared = [.. small.Pieces.Intersect(large.Pieces)];

        // Panels of 64 outputs, of which the last is filled up; each output with a bias, zeros where there is none.
        long block = Matrix(3 * 32, 32) + Matrix(32, 32) + Matrix(128, 32) + Matrix(32, 128) + (2 * Norm(32));
        long bytes = block + Matrix(256, 32) + Norm(32) + (256 * 32 * 4);
        Assert.Equal(bytes, small.Pieces.Sum(piece => piece.Bytes));
        Assert.Equal(bytes, shared.Sum(piece => piece.Bytes));
        // The zeros that stand for the biases of queries, keys and values, and of attention's output, are those of the first block.
        Assert.Equal(bytes + block - ((128 + 64) * 4), large.Pieces.Sum(piece => piece.Bytes));

        static long Matrix(int outputs, int inputs) => (outputs + 63) / 64 * 64L * (inputs + 1) * 4;
        static long Norm(int width) => 2L * width * 4;
    }

    [Fact]
    public void Backends_OnSharedWeights_AnswerAsAlone()
    {
        float[][] alone, together;
        using (CpuExperts large = Stage("large", blocks: 2))
        using (IBackend backend = large.NewBackend())
            alone = new Sequence(backend, [0]).Run([1, 2, 3], 3);
        using CpuExperts again = Stage("large", blocks: 2);
        using (CpuExperts small = Stage("small", blocks: 1))
            small.NewBackend().Dispose();
        using (IBackend backend = again.NewBackend())
            together = new Sequence(backend, [0]).Run([1, 2, 3], 3);
        Assert.Equal(alone, together);
    }

    private CpuExperts Stage(string id, int blocks)
    {
        _folder.Copy(TestData.Path("checkpoints", "plain"), id);
        string path = Path.Combine(_folder.Path, id, "model.safetensors");
        var stage = new SafetensorsWriter();
        using (SafetensorsFile whole = SafetensorsFile.Open(TestData.Path("checkpoints", "plain", "model.safetensors")))
        {
            foreach (Tensor tensor in whole.Tensors.Values.Where(tensor => TensorNames.Classify(tensor.Name)!.Value.Layer < blocks))
                stage.Add(tensor);
            stage.Save(path);
        }

        ModelsRoot root = ModelsRoot.Scan(_folder.Path);
        using LoadedModel model = LoadedModel.Load(root, root.Models.Single(model => model.Id == id));
        return new CpuExperts(model, new CpuOptions { Threads = 1, KvBlocks = 4 });
    }

    private static NativeBuffer Filled(int bytes, byte value)
    {
        var buffer = new NativeBuffer(bytes);
        new Span<byte>(buffer.Bytes, bytes).Fill(value);
        return buffer;
    }
}
