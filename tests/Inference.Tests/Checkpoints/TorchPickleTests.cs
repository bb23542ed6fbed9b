using System.Diagnostics;
using Serving.Inference.Checkpoints;
using static Serving.Inference.Tests.Checkpoints.TorchFile;

namespace Serving.Inference.Tests.Checkpoints;

public sealed class TorchPickleTests
{
    // The opcodes that a state dictionary needs, from the rules for this reader.
    private const string Allowed = "(.NJKMGXU)]}t" + "\x85\x86\x87\x88\x89\x8a" + "aesuhjqrcRbQ\x80";

    private static readonly byte[] Float = Storage("FloatStorage", "0", 6);

    public static TheoryData<int> ForbiddenOpcodes =>
        [.. Enumerable.Range(0, 256).Where(opcode => !Allowed.Contains((char)opcode, StringComparison.Ordinal))];

    public static TheoryData<string, string> ForbiddenGlobals => new()
    {
        { "os", "system" }, { "posix", "system" }, { "nt", "system" }, { "sys", "exit" }, { "subprocess", "Popen" },
        { "builtins", "eval" }, { "builtins", "exec" }, { "builtins", "getattr" }, { "__builtin__", "eval" },
        { "runpy", "_run_code" }, { "importlib", "import_module" }, { "pickle", "loads" }, { "functools", "partial" },
        { "shutil", "rmtree" }, { "torch", "load" }, { "torch.hub", "load" }, { "torch.storage", "_load_from_bytes" },
        { "torch._utils", "_rebuild_tensor" }, { "torch._utils", "_rebuild_tensor_v3" }, { "torch._utils", "_rebuild_sparse_tensor" },
        { "torch._utils", "_rebuild_qtensor" }, { "torch._utils", "_rebuild_wrapper_subclass" },
        { "torch._utils", "_rebuild_meta_tensor_no_storage" }, { "torch", "QInt8Storage" }, { "torch", "UntypedStorage" },
        { "torch", "Size" }, { "torch", "device" }, { "collections", "Counter" }, { "collections", "OrderedDict.fromkeys" },
        { "torch", "_utils._rebuild_tensor_v2" }, { "numpy.core.multiarray", "_reconstruct" }, { "", "" }, { "collections", "" },
    };

    public static TheoryData<string, byte[]> BadPickles => new()
    {
        { "empty", [] },
        { "no protocol", Op("}.") },
        { "protocol 4", Op("\x80\x04}.") },
        { "protocol 0", Op("\x80\0}.") },
        { "cut protocol", Op("\x80") },
        { "no stop", Op("\x80\x02}") },
        { "nothing", Op("\x80\x02.") },
        { "two objects", Op("\x80\x02}}.") },
        { "bytes after stop", Op("\x80\x02}..") },
        { "a number", Pickle(Int(1)) },
        { "a mark", Pickle(Op("(")) },
        { "a global", Pickle(Global("collections", "OrderedDict")) },
        { "a dictionary of numbers", StateDict(Int(1)) },
        { "a nested dictionary", StateDict(Op("}")) },
        { "a storage", StateDict(Float) },
        { "a key that is a number", Pickle(Op("}"), Int(1), Tensor(), Op("s")) },
        { "a key twice", Pickle(Op("}"), Text("a"), Tensor(), Op("s"), Text("a"), Tensor(), Op("s")) },
        { "a key without a value", Pickle(Op("}("), Text("a"), Op("u")) },
        { "an item of a list", Pickle(Op("]"), Text("a"), Tensor(), Op("s")) },
        { "an append to a dictionary", Pickle(Op("}"), Int(1), Op("a")) },
        { "an append to nothing", Pickle(Int(1), Op("a")) },
        { "appends without a mark", Pickle(Op("]"), Int(1), Op("e")) },
        { "a tuple without a mark", Pickle(Op("t")) },
        { "a tuple of three of two", Pickle(Op("}}\x87")) },
        { "a tuple of a mark", Pickle(Op("}(\x85")) },
        { "a memo of nothing", Pickle(Op("q\0")) },
        { "a memo of a mark", Pickle(Op("(q\0")) },
        { "a memo past the limit", Pickle(Op("}r\xff\xff\xff\xff")) },
        { "a memo that is not there", Pickle(Op("h\x07")) },
        { "a long memo that is not there", Pickle(Op("j\0\0\0\x80")) },
        { "a string past the end", Pickle(Op("X\xff\xff\xff\xff")) },
        { "a string past the limit", Pickle(Text(new string('a', (1 << 20) + 1))) },
        { "a string that is not UTF-8", Pickle(Op("}X\x02\0\0\0\xc3(Ns")) },
        { "a short string that is not UTF-8", Pickle(Op("}U\x01\xffNs")) },
        { "a number of nine bytes", Pickle(Op("\x8a\u0009123456789")) },
        { "a global without an end", Op("\x80\u0002ccollections\nOrderedDict") },
        { "a global of bytes", Op("\x80\u0002ccollections\n\xd0\xb0\n.") },
        { "a global without its second line", Op("\x80\u0002c" + new string('a', 300) + "\nb\n.") },
        { "a call of a tuple", Pickle(Op("))R")) },
        { "a call without a tuple", Pickle(Global("collections", "OrderedDict"), Op("NR")) },
        { "a call of a storage class", Pickle(Global("torch", "FloatStorage"), Op(")R")) },
        { "OrderedDict of a list", Pickle(Global("collections", "OrderedDict"), Op("]\x85R")) },
        { "a tensor of nothing", StateDict(Global("torch._utils", "_rebuild_tensor_v2"), Op(")R")) },
        { "a parameter of a number", StateDict(Global("torch._utils", "_rebuild_parameter"), Tuple(Int(1), Op("\x88"), OrderedDict), Op("R")) },
        { "a tensor with hooks", StateDict(WithHooks()) },
        { "a tensor with metadata", StateDict(WithMetadata(Op("}"))) },
        { "attributes of a dictionary", Pickle(Op("}}b")) },
        { "attributes of a tensor", StateDict(Tensor(), Op("}b")) },
        { "attributes that are a tuple", Pickle(OrderedDict, Op(")b")) },
        { "a persistent number", Pickle(Int(1), Op("Q")) },
        { "a persistent module", Pickle(Tuple(Text("module"), Global("torch", "FloatStorage"), Text("0"), Text("cpu"), Int(1)), Op("Q")) },
        { "a persistent OrderedDict", Pickle(Tuple(Text("storage"), OrderedDict, Text("0"), Text("cpu"), Int(1)), Op("Q")) },
        { "a storage of a function", Pickle(Tuple(Text("storage"), Global("torch._utils", "_rebuild_parameter"), Text("0"), Text("cpu"), Int(1)), Op("Q")) },
        { "a storage outside the archive", Pickle(Storage("FloatStorage", "../0", 1)) },
        { "a storage of minus one", Pickle(Storage("FloatStorage", "0", -1)) },
        { "a negative offset", StateDict(TorchFile.Tensor(Float, -1, Numbers(2, 3), Numbers(3, 1))) },
        { "a negative size", StateDict(TorchFile.Tensor(Float, 0, Numbers(-2, 3), Numbers(3, 1))) },
        { "a negative stride", StateDict(TorchFile.Tensor(Float, 5, Numbers(6), Numbers(-1))) },
        { "a stride missing", StateDict(TorchFile.Tensor(Float, 0, Numbers(2, 3), Numbers(3))) },
        { "a size of strings", StateDict(TorchFile.Tensor(Float, 0, Tuple(Text("2")), Numbers(1))) },
        { "nine dimensions", StateDict(TorchFile.Tensor(Float, 0, Numbers(1, 1, 1, 1, 1, 1, 1, 1, 1), Numbers(1, 1, 1, 1, 1, 1, 1, 1, 1))) },
        { "a control character in a name", Pickle(Op("}"), Text("a\n"), Tensor(), Op("s")) },
        { "a list that holds itself", Pickle(Op("]q\0h\0a")) },
        { "five thousand marks", Pickle(Op(new string('(', 5000))) },
        { "five thousand objects", Pickle(Op(new string('N', 5000))) },
        { "tuples without end", Pickle(Op(")" + new string('\x85', 2_000_000))) },
        { "dictionaries without end", Pickle(Op("]" + string.Concat(Enumerable.Repeat("(" + new string('}', 4000) + "e", 1500)))) },
        { "strings without end", Pickle(Op("]" + string.Concat(Enumerable.Repeat("(" + string.Concat(Enumerable.Repeat("U\0", 4000)) + "e", 1500)))) },
        { "memos past the limit", Pickle(Op("}" + string.Concat(Enumerable.Range(0, 1_500_000).Select(i => "r" + (char)(i & 255) + (char)((i >> 8) & 255) + (char)(i >> 16) + "\0")))) },
    };

    [Theory]
    [MemberData(nameof(ForbiddenOpcodes))]
    public void Read_ForbiddenOpcode_IsNamedWithItsPlace(int opcode)
    {
        byte[] pickle = [0x80, 2, (byte)'}', (byte)'}', (byte)opcode, .. Enumerable.Repeat((byte)'.', 32)];
        string message = Assert.Throws<CheckpointException>(() => TorchPickle.Read("m.bin", pickle, null)).Message;
        Assert.Contains("m.bin: data.pkl", message);
        Assert.Contains("at byte 4:", message);
        Assert.Contains($"0x{opcode:x2}", message);
    }

    [Theory]
    [MemberData(nameof(ForbiddenGlobals))]
    public void Read_ForbiddenGlobal_IsNamedWithItsPlace(string module, string name)
    {
        byte[] pickle = Pickle(Global(module, name), Tuple(Text("touch canary")), Op("R"));
        string message = Assert.Throws<CheckpointException>(() => TorchPickle.Read("m.bin", pickle, null)).Message;
        Assert.Contains("GLOBAL at byte 2:", message);
        Assert.Contains($"'{module}.{name}'", message);
    }

    [Theory]
    [MemberData(nameof(BadPickles), DisableDiscoveryEnumeration = true)]
    public void Read_BadPickle_IsRefusedWithLittleMemory(string what, byte[] pickle)
    {
        Assert.NotEmpty(what);
        long before = GC.GetAllocatedBytesForCurrentThread();
        CheckpointException fault = Assert.Throws<CheckpointException>(() => TorchPickle.Read("m.bin", pickle, null));
        Assert.StartsWith("data.pkl, ", fault.Subject, StringComparison.Ordinal);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 256L << 20);
        if (what.EndsWith("without end", StringComparison.Ordinal))
            Assert.Contains("objects of at most", fault.Expected);
    }

    [Fact]
    public void Read_StateDictWithAttributesAndParameter_GivesItsTensors()
    {
        byte[] parameter = [.. Global("torch._utils", "_rebuild_parameter"), .. Tuple(Tensor(), [0x88], OrderedDict), (byte)'R'];
        byte[] pickle = Pickle(
            OrderedDict, Op("("), Text("a"), Tensor(), Text("b"), parameter, Text("c"), WithMetadata(Op("N")), Op("u"),
            Op("}"), Text("_metadata"), OrderedDict, Op("s"), Op("b"));
        List<KeyValuePair<string, PickledTensor>> tensors = TorchPickle.Read("m.bin", pickle, null);
        Assert.Equal(["a", "b", "c"], tensors.Select(pair => pair.Key));
        Assert.All(tensors, pair => Assert.Equal((DType.F32, 6L), (pair.Value.Storage.DType, pair.Value.Storage.Elements)));
    }

    [Fact]
    public void Read_AThousandTensorsInOneRun_IsRead()
    {
        byte[][] items = [.. Enumerable.Range(0, 1000).SelectMany(i => new[] { Text($"t{i}"), Tensor() })];
        Assert.Equal(1000, TorchPickle.Read("m.bin", Pickle([Op("}("), .. items, Op("u")]), null).Count);
    }

    [Theory]
    [InlineData("\x8a\x00", 0)]
    [InlineData("\x8a\x01\x07", 7)]
    [InlineData("\x8a\x02\xff\x00", 255)]
    [InlineData("\x8a\x03\0\0\x01", 65536)]
    [InlineData("K\xff", 255)]
    [InlineData("M\xff\xff", 65535)]
    [InlineData("J\xff\xff\xff\x7f", int.MaxValue)]
    public void Read_Numbers_AreLittleEndian(string opcodes, long expected)
    {
        byte[] pickle = Pickle(TorchFile.Tensor(Float, 0, Tuple(Op(opcodes)), Numbers(1)));
        Assert.Equal(expected, Assert.Single(TorchPickle.Read("m.pt", pickle, "x")).Value.Shape.Single());
    }

    [Fact]
    public void Read_DictionaryWhereOneTensorIsExpected_IsRefused() =>
        Assert.Contains("one tensor", Assert.Throws<CheckpointException>(() => TorchPickle.Read("m.pt", Empty, "x")).Message);

    [Fact]
    public void Read_Bombs_EndSoon()
    {
        // Not a measurement: quadratic work on these would take hours.
        long start = Stopwatch.GetTimestamp();
        byte[] tuples = Op(string.Concat(Enumerable.Repeat("(t(t(t", 500_000)));
        Assert.Throws<CheckpointException>(() => TorchPickle.Read("m.bin", Pickle(tuples), null));
        Assert.InRange(Stopwatch.GetElapsedTime(start), TimeSpan.Zero, TimeSpan.FromMinutes(1));
    }

    private static byte[] Tensor() => TorchFile.Tensor(Float, 0, Numbers(2, 3), Numbers(3, 1));

    private static byte[] WithHooks() =>
    [
        .. Global("torch._utils", "_rebuild_tensor_v2"),
        .. Tuple(Float, Int(0), Numbers(6), Numbers(1), [0x89], [.. OrderedDict, .. Text("a"), .. Op("Ns")]),
        (byte)'R',
    ];

    private static byte[] WithMetadata(byte[] metadata) =>
    [
        .. Global("torch._utils", "_rebuild_tensor_v2"),
        .. Tuple(Float, Int(0), Numbers(6), Numbers(1), [0x89], OrderedDict, metadata),
        (byte)'R',
    ];
}
