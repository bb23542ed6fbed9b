using System.Text;
using Serving.Inference.Checkpoints;

namespace Serving.Inference.Tests.Checkpoints;

public sealed class SafetensorsFileTests : IDisposable
{
    private const string OneFloat = """ "a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]} """;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>Headers that must be refused: what is wrong, the header, the bytes that follow it.</summary>
    public static TheoryData<string, string, int> BadHeaders => new()
    {
        { "array", "[]", 0 },
        { "leading space", " {}", 0 },
        { "empty", "", 0 },
        { "only spaces", "   ", 0 },
        { "not JSON", "{", 0 },
        { "two objects", "{}{}", 0 },
        { "trailing comma", Header(OneFloat + ","), 4 },
        { "comment", "{/* */}", 0 },
        { "trailing newline and text", "{}\nx", 0 },
        { "metadata not an object", """{"__metadata__":1}""", 0 },
        { "metadata with a number", """{"__metadata__":{"a":1}}""", 0 },
        { "metadata nested", """{"__metadata__":{"a":{}}}""", 0 },
        { "tensor not an object", """{"a":[]}""", 0 },
        { "first offset not zero", Header("F32", "[1]", "[4,8]"), 8 },
        { "hole", Header(OneFloat + ""","b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}"""), 12 },
        { "overlap", Header(OneFloat + ""","b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}"""), 6 },
        { "same place twice", Header(OneFloat + ""","b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"""), 4 },
        { "end before begin", Header("F32", "[1]", "[4,0]"), 4 },
        { "trailing bytes", Header(OneFloat), 5 },
        { "missing bytes", Header(OneFloat), 3 },
        { "no tensors but bytes", "{}", 1 },
        { "dimensions overflow", Header("F32", "[4611686018427387904,4611686018427387904,4611686018427387904]", "[0,4]"), 4 },
        { "wraps to 4 in 64 bits", Header("U8", "[4194305,4194305,211106198978564]", "[0,4]"), 4 },
        { "bits overflow", Header("F64", "[9223372036854775807,9223372036854775807,8]", "[0,4]"), 4 },
        { "shape larger than data", Header("F32", "[2]", "[0,4]"), 4 },
        { "shape smaller than data", Header("F32", "[1]", "[0,8]"), 8 },
        { "half a byte", Header("F4", "[3]", "[0,1]"), 1 },
        { "six bits", Header("F6_E2M3", "[1]", "[0,1]"), 1 },
        { "unknown dtype", Header("F31", "[1]", "[0,4]"), 4 },
        { "lower-case dtype", Header("f32", "[1]", "[0,4]"), 4 },
        { "dtype as a number in a string", Header("15", "[1]", "[0,4]"), 4 },
        { "dtype not a string", """{"a":{"dtype":1,"shape":[1],"data_offsets":[0,4]}}""", 4 },
        { "negative dimension", Header("F32", "[-1]", "[0,4]"), 4 },
        { "minus zero", Header("F32", "[-0]", "[0,0]"), 0 },
        { "fraction", Header("F32", "[1.0]", "[0,4]"), 4 },
        { "exponent", Header("F32", "[1e0]", "[0,4]"), 4 },
        { "past 2^63", Header("F32", "[1]", "[0,9223372036854775808]"), 4 },
        { "dimension as a string", Header("F32", "[\"1\"]", "[0,4]"), 4 },
        { "nested shape", Header("F32", "[[1]]", "[0,4]"), 4 },
        { "shape not an array", Header("F32", "1", "[0,4]"), 4 },
        { "one offset", Header("F32", "[1]", "[4]"), 4 },
        { "three offsets", Header("F32", "[1]", "[0,4,4]"), 4 },
        { "no offsets", """{"a":{"dtype":"F32","shape":[1]}}""", 4 },
        { "no shape", """{"a":{"dtype":"F32","data_offsets":[0,4]}}""", 4 },
        { "no dtype", """{"a":{"shape":[1],"data_offsets":[0,4]}}""", 4 },
        { "unknown field", """{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}}""", 4 },
        { "tensor twice", Header(OneFloat + "," + OneFloat), 4 },
        { "tensor twice, once escaped", Header(OneFloat + ""","\u0061":{"dtype":"F32","shape":[0],"data_offsets":[4,4]}"""), 4 },
        { "metadata twice", """{"__metadata__":{},"__metadata__":{}}""", 0 },
        { "metadata key twice", """{"__metadata__":{"a":"1","a":"2"}}""", 0 },
        { "dtype twice", """{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 4 },
        { "rank nine", Header("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4 },
        { "long name", Header(OneFloat.Replace("\"a\"", $"\"{new string('a', 1025)}\"")), 4 },
        { "control character in a name", Header(OneFloat.Replace("\"a\"", "\"a\\u0001\"")), 4 },
        { "lone surrogate in a name", Header(OneFloat.Replace("\"a\"", "\"\\ud800\"")), 4 },
        { "lone surrogate in metadata", """{"__metadata__":{"a":"\udc00"}}""", 0 },
        { "deep nesting", new string('[', 5000), 0 },
        { "deep nesting in a tensor", "{\"a\":" + new string('[', 5000), 0 },
    };

    [Theory]
    [MemberData(nameof(BadHeaders))]
    public void Open_BadHeader_IsRefusedByName(string what, string header, int dataBytes)
    {
        string path = _folder.WriteSafetensors("bad.safetensors", header, dataBytes);
        var e = Assert.Throws<CheckpointException>(() => SafetensorsFile.Open(path));
        Assert.True(e.Message.StartsWith(path, StringComparison.Ordinal), what);
        Assert.NotEmpty(e.Expected);
    }

    [Theory]
    [InlineData(new byte[0])]
    [InlineData(new byte[] { 1, 0, 0, 0, 0, 0, 0 })]
    [InlineData(new byte[] { 3, 0, 0, 0, 0, 0, 0, 0, (byte)'{', (byte)'}' })]
    [InlineData(new byte[] { 0, 0, 0, 0, 1, 0, 0, 0, (byte)'{', (byte)'}' })]
    [InlineData(new byte[] { 255, 255, 255, 255, 255, 255, 255, 255, (byte)'{', (byte)'}' })]
    [InlineData(new byte[] { 255, 255, 255, 255, 255, 255, 255, 127, (byte)'{', (byte)'}' })]
    [InlineData(new byte[] { 1, 225, 245, 5, 0, 0, 0, 0, (byte)'{', (byte)'}' })]
    [InlineData(new byte[] { 3, 0, 0, 0, 0, 0, 0, 0, (byte)'{', 0xFF, (byte)'}' })]
    public void Open_BadPrefixOrEncoding_IsRefusedBeforeReading(byte[] file)
    {
        string path = _folder.Write("bad.safetensors", file);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<CheckpointException>(() => SafetensorsFile.Open(path));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Fact]
    public void Open_TooManyTensors_IsRefused()
    {
        string entries = string.Join(",", Enumerable.Range(0, 65_537).Select(i => $$"""
            "{{i}}":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}
            """));
        string path = _folder.WriteSafetensors("many.safetensors", $"{{{entries}}}", 0);
        Assert.Contains("65536 tensors", Assert.Throws<CheckpointException>(() => SafetensorsFile.Open(path)).Message);
    }

    [Fact]
    public void Open_NoFile_NamesIt() =>
        Assert.Contains("nowhere.safetensors", Assert.Throws<CheckpointException>(() => SafetensorsFile.Open("/nowhere.safetensors")).Message);

    [Fact]
    public void Open_ScalarsEmptiesAndTrailingSpaces_AreAccepted()
    {
        string header = """
            {"__metadata__":{"format":"pt"},"z":{"dtype":"F32","shape":[],"data_offsets":[0,4]},
            "none":{"dtype":"BF16","shape":[0,5],"data_offsets":[4,4]},"half":{"dtype":"F4","shape":[2,3],"data_offsets":[4,7]}}
            """ + "     ";
        using SafetensorsFile file = SafetensorsFile.Open(_folder.WriteSafetensors("good.safetensors", header, 7));
        Assert.Equal(["half", "none", "z"], file.Tensors.Keys.Order());
        Assert.Equal(1, file.Tensors["z"].Elements);
        Assert.Equal(0, file.Tensors["none"].Elements);
        Assert.Equal(3, file.Tensors["half"].Bytes);
    }

    [Fact]
    public void Read_FileCutShortMeanwhile_ThrowsInsteadOfCrashing()
    {
        string path = _folder.WriteSafetensors("cut.safetensors", Header("F32", "[1000]", "[0,4000]"), 4000);
        using SafetensorsFile file = SafetensorsFile.Open(path);
        using (var stream = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            stream.SetLength(500);
        var e = Assert.Throws<CheckpointException>(() => file.Tensors["a"].ToFloats());
        Assert.Contains("'a'", e.Message);
        Assert.Contains("shorter", e.Message);
    }

    [Fact]
    public void Read_EveryWeightType_GivesExactFloats()
    {
        byte[] data = [0x00, 0x00, 0xC0, 0x3F, 0x40, 0xC0, 0x00, 0x42];
        byte[] header = Encoding.UTF8.GetBytes("""
            {"f32":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"bf16":{"dtype":"BF16","shape":[1],"data_offsets":[4,6]},
            "f16":{"dtype":"F16","shape":[1],"data_offsets":[6,8]}}
            """);
        using SafetensorsFile file = SafetensorsFile.Open(_folder.WriteSafetensors("types.safetensors", header, data));
        Assert.Equal([1.5f], file.Tensors["f32"].ToFloats());
        Assert.Equal([-3f], file.Tensors["bf16"].ToFloats());
        Assert.Equal([3f], file.Tensors["f16"].ToFloats());
    }

    [Fact]
    public void Rows_OfATensor_AreASlice()
    {
        Tensor tensor = Tensor.InMemory("t", [1, 2, 3, 4, 5, 6], 3, 2);
        Assert.Equal([3, 4, 5, 6], tensor.Rows(1, 2).ToFloats());
        Assert.Equal([5, 6], tensor.Rows(1, 2).Rows(1, 1).ToFloats());
    }

    [Fact]
    public void Open_EveryTruncationAndBitFlipOfAHeader_NeverCrashes()
    {
        byte[] good = File.ReadAllBytes(Serving.Testing.TestData.Path("checkpoints", "plain", "model.safetensors"));
        var random = new Random(11);
        for (int i = 0; i < 500; i++)
        {
            byte[] bad = [.. good];
            if (i % 2 == 0)
                bad = bad[..random.Next(bad.Length)];
            else
                bad[random.Next(2900)] ^= (byte)(1 << random.Next(8));
            string path = _folder.Write("fuzz.safetensors", bad);
            try
            {
                using SafetensorsFile file = SafetensorsFile.Open(path);
                Assert.True(i % 2 == 1, "A truncated file was accepted.");
            }
            catch (CheckpointException)
            {
                // The one exception that is allowed.
            }
        }
    }

    private static string Header(string dtype, string shape, string offsets) =>
        Header($$"""
            "a":{"dtype":"{{dtype}}","shape":{{shape}},"data_offsets":{{offsets}}}
            """);

    private static string Header(string entries) => $"{{{entries}}}";
}
