using System.IO.Compression;
using System.Text;
using Serving.Inference.Checkpoints;
using Serving.Testing;
using static Serving.Inference.Tests.Checkpoints.TorchFile;

namespace Serving.Inference.Tests.Checkpoints;

public sealed class TorchArchiveTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string> BadNames =>
    [
        "../evil", "root/../../evil", "/etc/evil", "root//evil", "root/", "evil", "root\\evil", "root/a\\..\\b", "C:/evil", "root/./evil",
        "root/a\nb", "root/a\0b", "other/evil", "root/data/..", "root/" + new string('a', 1024),
    ];

    /// <summary>Views that lie outside their storage of six floats or repeat more than it has: offset, shape, strides.</summary>
    public static TheoryData<long, long[], long[]> BadViews => new()
    {
        { 0, [7], [1] },
        { 1, [6], [1] },
        { 7, [0], [1] },
        { 0, [2, 3], [4, 1] },
        { 0, [7], [0] },
        { 0, [3, 3], [1, 1] },
        { 0, [1000000], [0] },
        { 0, [long.MaxValue], [long.MaxValue] },
        { long.MaxValue, [2], [1] },
        { long.MaxValue, [], [] },
        { 0, [1L << 32, 1L << 32], [1L << 32, 1] },
        { 0, [1L << 62, 1L << 62, 0], [0, 0, 0] },
        { 0, [4194305, 4194305, 211106198978564], [0, 0, 0] },
    };

    [Fact]
    public void Open_GoldenTable_IsTheSameAsInSafetensors()
    {
        using TorchArchive archive = TorchArchive.Open(TestData.Path("checkpoints", "table", "normalized_embeddings_weights.pt"), "t");
        Tensor tensor = Assert.Single(archive.Tensors).Value;
        Assert.Equal("t F32 [256, 32]", tensor.ToString());
        Assert.All(tensor.ToFloats().Chunk(32), row => Assert.Equal(1, row.Sum(x => (double)x * x), 1e-5));
    }

    [Theory]
    [InlineData("DoubleStorage", DType.F64, 8)]
    [InlineData("FloatStorage", DType.F32, 4)]
    [InlineData("HalfStorage", DType.F16, 2)]
    [InlineData("BFloat16Storage", DType.BF16, 2)]
    [InlineData("LongStorage", DType.I64, 8)]
    [InlineData("IntStorage", DType.I32, 4)]
    [InlineData("ShortStorage", DType.I16, 2)]
    [InlineData("CharStorage", DType.I8, 1)]
    [InlineData("ByteStorage", DType.U8, 1)]
    [InlineData("BoolStorage", DType.BOOL, 1)]
    public void Open_ViewOfAStorage_ReadsItsElements(string storage, DType type, int itemBytes)
    {
        byte[] pickle = StateDict(TorchFile.Tensor(Storage(storage, "0", 8), 2, Numbers(2, 1, 3), Numbers(3, 77, 1)));
        using TorchArchive archive = TorchArchive.Open(Write(Archive(Entries(pickle, 8 * itemBytes))));
        Tensor tensor = archive.Tensors["a"];
        Assert.Equal((type, 6L), (tensor.DType, tensor.Elements));
        var bytes = new byte[tensor.Bytes];
        tensor.Read(0, bytes);
        Assert.Equal(Enumerable.Range(2 * itemBytes, 6 * itemBytes).Select(i => (byte)(i % 64)), bytes);
    }

    /// <summary>The storage holds 0, 1, 2, 3, 4, 5.</summary>
    [Theory]
    [InlineData(0, new long[] { 3, 2 }, new long[] { 1, 3 }, new float[] { 0, 3, 1, 4, 2, 5 })]
    [InlineData(1, new long[] { 2, 2 }, new long[] { 3, 1 }, new float[] { 1, 2, 4, 5 })]
    [InlineData(1, new long[] { 2 }, new long[] { 3 }, new float[] { 1, 4 })]
    [InlineData(2, new long[] { 2, 3 }, new long[] { 1, 0 }, new float[] { 2, 2, 2, 3, 3, 3 })]
    [InlineData(0, new long[] { 1, 3, 2 }, new long[] { 9, 1, 3 }, new float[] { 0, 3, 1, 4, 2, 5 })]
    [InlineData(0, new long[] { 2, 0 }, new long[] { 1, 5 }, new float[0])]
    public void Open_StridedView_IsReadByItsStrides(long offset, long[] shape, long[] strides, float[] expected)
    {
        foreach ((string type, int bytes) in new[] { ("FloatStorage", 4), ("HalfStorage", 2) })
        {
            byte[] pickle = StateDict(TorchFile.Tensor(Storage(type, "0", 6), offset, Numbers(shape), Numbers(strides)));
            Dictionary<string, byte[]> entries = Entries(pickle, 6 * bytes);
            entries["root/data/0"] = bytes == 4
                ? [.. Enumerable.Range(0, 6).SelectMany(i => BitConverter.GetBytes((float)i))]
                : [.. Enumerable.Range(0, 6).SelectMany(i => BitConverter.GetBytes((Half)i))];
            using TorchArchive archive = TorchArchive.Open(_folder.Write("m.bin", Archive(entries)));
            Tensor tensor = archive.Tensors["a"];
            Assert.Equal(expected, tensor.ToFloats());
            if (shape.Length == 2 && shape[1] > 0)
                Assert.Equal(expected[(int)shape[1]..], tensor.Rows(1, shape[0] - 1).ToFloats());
        }
    }

    [Theory]
    [MemberData(nameof(BadViews))]
    public void Open_ViewOutsideItsStorage_IsRefusedByName(long offset, long[] shape, long[] strides)
    {
        byte[] pickle = StateDict(TorchFile.Tensor(Storage("FloatStorage", "0", 6), offset, Numbers(shape), Numbers(strides)));
        AssertRefused(Archive(Entries(pickle, 24)), "tensor 'a'");
    }

    [Theory]
    [InlineData("FloatStorage", "0", 5)]
    [InlineData("FloatStorage", "0", 7)]
    [InlineData("HalfStorage", "0", 6)]
    [InlineData("DoubleStorage", "0", 6)]
    [InlineData("FloatStorage", "1", 6)]
    [InlineData("FloatStorage", "0", (1L << 62) + 6)]
    [InlineData("FloatStorage", "0", long.MaxValue)]
    public void Open_StorageOfAnotherSize_IsRefusedByName(string type, string key, long elements)
    {
        byte[] pickle = StateDict(TorchFile.Tensor(Storage(type, key, elements), 0, Numbers(1), Numbers(1)));
        AssertRefused(Archive(Entries(pickle, 24)), $"data/{key}");
    }

    [Theory]
    [MemberData(nameof(BadNames))]
    public void Open_BadEntryName_IsRefused(string name)
    {
        var entries = Entries(Empty);
        entries[name] = "x"u8.ToArray();
        AssertRefused(Archive(entries), "archive entry");
        Assert.Empty(Directory.EnumerateFiles(_folder.Path, "evil*", SearchOption.AllDirectories));
    }

    [Fact]
    public void Open_CompressedEntry_IsRefused()
    {
        var entries = Entries(Empty, 100_000);
        AssertRefused(Archive(entries, CompressionLevel.Optimal), "compression method 8");
    }

    [Fact]
    public void Open_DuplicateEntry_IsRefused() =>
        AssertRefused(Archive([.. Entries(Empty), new("root/data.pkl", Empty)]), "one of this name");

    [Theory]
    [InlineData("root/code/__torch__.py")]
    [InlineData("root/constants.pkl")]
    public void Open_TorchScript_IsRefused(string entry)
    {
        var entries = Entries(Empty);
        entries[entry] = [];
        AssertRefused(Archive(entries), "TorchScript");
    }

    [Theory]
    [InlineData("big")]
    [InlineData("bigger")]
    [InlineData("")]
    public void Open_AnotherByteOrder_IsRefused(string order)
    {
        var entries = Entries(Empty);
        entries["root/byteorder"] = Encoding.ASCII.GetBytes(order);
        AssertRefused(Archive(entries), "byteorder");
    }

    [Fact]
    public void Open_WithoutByteOrder_IsLittleEndian()
    {
        var entries = Entries(Empty);
        entries.Remove("root/byteorder");
        using TorchArchive archive = TorchArchive.Open(Write(Archive(entries)));
        Assert.Empty(archive.Tensors);
    }

    [Fact]
    public void Open_WithoutPickle_IsRefused()
    {
        var entries = Entries(Empty);
        entries.Remove("root/data.pkl");
        AssertRefused(Archive(entries), "'data.pkl'");
        AssertRefused(Archive([]), "'data.pkl'");
    }

    [Fact]
    public void Open_OldFormats_AreNamed()
    {
        var tar = new byte[1024];
        "ustar"u8.CopyTo(tar.AsSpan(257));
        AssertRefused(tar, "tar");
        AssertRefused([0x80, 2, 0x8a, 10, .. new byte[100]], "a bare pickle");
        AssertRefused([], "zip archive");
        AssertRefused("PK"u8.ToArray(), "zip archive");
        AssertRefused(new byte[300], "zip archive");
    }

    [Theory]
    [InlineData("before")]
    [InlineData("after")]
    [InlineData("between")]
    public void Open_BytesThatBelongToNoEntry_AreRefused(string place)
    {
        byte[] archive = Archive(Entries(Empty));
        int directory = archive.AsSpan().IndexOf("PK\x1\x2"u8);
        byte[] polyglot = place switch
        {
            "before" => [.. "#!/bin/sh\n"u8, .. archive],
            "after" => [.. archive, 0],
            _ => [.. archive[..directory], 1, 2, 3, .. archive[directory..]],
        };
        AssertRefused(polyglot, "archive");
    }

    [Fact]
    public void Open_LocalNameThatDiffersFromTheDirectory_IsRefused()
    {
        byte[] archive = Archive(Entries(Empty));
        archive[archive.AsSpan().IndexOf("data.pkl"u8)] = (byte)'D';
        AssertRefused(archive, "agrees with the directory");
    }

    [Fact]
    public void Open_TwoEntriesOverTheSameBytes_IsRefused()
    {
        byte[] archive = Archive(Entries(Empty, 64));
        int first = archive.AsSpan().IndexOf("PK\x1\x2"u8);
        int second = first + 4 + archive.AsSpan(first + 4).IndexOf("PK\x1\x2"u8);
        archive.AsSpan(first + 42, 4).CopyTo(archive.AsSpan(second + 42));
        AssertRefused(archive, "archive entry");
    }

    [Fact]
    public void Open_CutAt64Places_IsRefused()
    {
        byte[] whole = File.ReadAllBytes(TestData.Path("checkpoints", "table", "normalized_embeddings_weights.pt"));
        for (int i = 0; i < 64; i++)
            AssertRefused(whole[..(int)((long)whole.Length * i / 64)], "archive", "x");
    }

    private void AssertRefused(byte[] file, string part, string? bareName = null)
    {
        string path = Write(file);
        string message = Assert.Throws<CheckpointException>(() => TorchArchive.Open(path, bareName)).Message;
        Assert.StartsWith(path, message, StringComparison.Ordinal);
        Assert.Contains(part, message);
    }

    private string Write(byte[] file) => _folder.Write("pytorch_model.bin", file);
}
