using System.Buffers.Binary;
using Serving.Inference.Checkpoints;
using Serving.Inference.Tests.Cpu;

namespace Serving.Inference.Tests.Checkpoints;

public sealed class TensorCheckTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(DType.F32, 0x7FC0_0000u, 0xFF80_0000u)]
    [InlineData(DType.BF16, 0x7FC1u, 0xFF80u)]
    [InlineData(DType.F16, 0xFE00u, 0x7C00u)]
    public void Of_ValuesThatAreNotFinite_CountsThemAndTellsTheFirst(DType type, uint notNumber, uint infinity)
    {
        const int Rows = 300, Columns = 7_001; // several slices
        byte[] bytes = new byte[Rows * Columns * type.Bits() / 8];
        Set(bytes, type, (250L * Columns) + 40, notNumber);
        Set(bytes, type, (299L * Columns) + 7_000, notNumber);
        Set(bytes, type, (270L * Columns) + 1, infinity);
        using SafetensorsFile file = Save(file =>
        {
            file.Add("bad", type, [Rows, Columns], bytes);
            file.Add("good", type, [Rows, Columns], new byte[bytes.Length]);
        });

        IReadOnlyList<TensorCheck> checks = TensorCheck.Of([file.Tensors["bad"], file.Tensors["good"]]);

        Assert.Equal((2, 1, false, true), (checks[0].NotNumbers, checks[0].Infinities, checks[0].IsSound, checks[0].IsIntact));
        Assert.Equal([250, 40], checks[0].First);
        Assert.True(checks[1].IsSound);
    }

    [Fact]
    public void Of_WholeNumbersAndLargestFloats_FindsNothing()
    {
        using SafetensorsFile file = Save(file =>
        {
            file.Add("numbers", DType.I8, [4], new byte[] { 255, 127, 128, 0 });
            file.Add("floats", DType.F32, [2], new byte[] { 255, 255, 0x7F, 0x7F, 1, 0, 0, 0x80 });
            file.Add("scalar", DType.F16, [], new byte[] { 0xFF, 0x7B });
        });

        Assert.All(TensorCheck.Of([.. file.Tensors.Values]), check => Assert.True(check.IsSound));
    }

    [Theory]
    [InlineData("plain", false)]
    [InlineData("moe", true)]
    public void Verify_AnyDataByteFlipped_NamesFileAndTensor(string variant, bool toEightBits)
    {
        string folder = Path.Combine(_folder.Path, "clean"), path = Path.Combine(folder, "model.safetensors");
        using (LoadedModel model = GoldenCheckpoint.Load(variant))
            CleanCheckpoint.Write(model, folder, toEightBits);
        byte[] intact = File.ReadAllBytes(path), bytes = [.. intact];
        int data = 8 + (int)BinaryPrimitives.ReadInt64LittleEndian(bytes);
        var random = new Random(21);
        for (int flip = 0; flip < 60; flip++)
        {
            int place = random.Next(data, bytes.Length);
            bytes[place] ^= (byte)(1 << random.Next(8));
            File.WriteAllBytes(path, bytes);
            using (CheckpointFolder damaged = CheckpointFolder.Open(folder))
            {
                CheckpointException fault = Assert.Throws<CheckpointException>(() => TensorCheck.Verify(damaged.Tensors.Values));
                Assert.Equal(path, fault.Path);
                TensorCheck found = Assert.Single(TensorCheck.Of([.. damaged.Tensors.Values]), check => !check.IsIntact);
                Assert.Equal($"tensor '{found.Tensor.Name}'", fault.Subject);
            }

            bytes[place] = intact[place];
        }

        File.WriteAllBytes(path, intact);
        using CheckpointFolder whole = CheckpointFolder.Open(folder);
        TensorCheck.Verify(whole.Tensors.Values);
    }

    [Fact]
    public void Open_FingerprintsOfTheHeaderFlipped_IsRefusedOrFailsToVerify()
    {
        string path = _folder.Write("two.safetensors", []);
        var writer = new SafetensorsWriter();
        writer.Add("a", DType.U8, [3], new byte[] { 1, 2, 3 });
        writer.Add("b", DType.U8, [3], new byte[] { 4, 5, 6 });
        writer.Save(path);
        byte[] intact = File.ReadAllBytes(path);
        int first = intact.AsSpan().IndexOf("fingerprint:a"u8), end = intact.AsSpan().IndexOf("},"u8);
        for (int place = first; place < end; place++)
        {
            byte[] bytes = [.. intact];
            bytes[place] ^= 1;
            File.WriteAllBytes(path, bytes);
            Assert.Throws<CheckpointException>(() =>
            {
                using SafetensorsFile file = SafetensorsFile.Open(path);
                TensorCheck.Verify(file.Tensors.Values);
            });
        }
    }

    private SafetensorsFile Save(Action<SafetensorsWriter> add)
    {
        var writer = new SafetensorsWriter();
        add(writer);
        string path = Path.Combine(_folder.Path, "check.safetensors");
        writer.Save(path);
        return SafetensorsFile.Open(path);
    }

    private static void Set(Span<byte> bytes, DType type, long element, uint bits)
    {
        if (type == DType.F32)
            BinaryPrimitives.WriteUInt32LittleEndian(bytes[(int)(4 * element)..], bits);
        else
            BinaryPrimitives.WriteUInt16LittleEndian(bytes[(int)(2 * element)..], (ushort)bits);
    }
}
