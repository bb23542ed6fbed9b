using System.Buffers.Binary;
using System.Text;
using System.Text.Unicode;

namespace Serving.Inference.Checkpoints;

/// <summary>
/// Reads the pickle of a PyTorch archive: a state dictionary of dense tensors, or one tensor. A pickle is a program; this
/// interpreter knows only the opcodes that such files need, and its four names build a dictionary, a view of a storage, the
/// same view again, and a storage. There is nothing in it that could call anything else.
/// </summary>
internal sealed class TorchPickle
{
    /// <summary>The largest pickle.</summary>
    public const int MaxBytes = 64 << 20;

    // A thousand pairs lie on the stack before they go into a dictionary, so valid files need more than 2,000.
    private const int MaxStack = 4096;
    private const int MaxMemo = 1 << 20;
    private const int MaxTextBytes = 1 << 20;
    private const int MaxNameBytes = 1024;
    private const int MaxTensors = 65_536;
    private const int MaxRank = 8;
    private const int MaxKeyChars = 32;

    // What one object costs beside its items; the sum is bounded because a byte of a file can ask for a hundred of memory.
    private const int ObjectCost = 64;
    private const long MaxCost = 64 << 20;

    private static readonly object[] Empty = [];

    private readonly string _path;
    private readonly byte[] _bytes;
    private readonly List<object?> _stack = [];
    private readonly Dictionary<uint, object?> _memo = [];
    private int _at;
    private int _opcodeAt;
    private PickleOpcode _opcode;
    private long _cost;

    private TorchPickle(string path, byte[] bytes) => (_path, _bytes) = (path, bytes);

    /// <summary>Reads a pickle.</summary>
    /// <param name="path">The archive, for messages.</param>
    /// <param name="bytes">The pickle; at most <see cref="MaxBytes"/>.</param>
    /// <param name="bareName">The name of a tensor that stands alone; null = a dictionary is expected.</param>
    /// <returns>The tensors by name, in the order of the file.</returns>
    /// <exception cref="CheckpointException">Anything that is not such a pickle; the message names the byte.</exception>
    public static List<KeyValuePair<string, PickledTensor>> Read(string path, byte[] bytes, string? bareName)
    {
        var pickle = new TorchPickle(path, bytes);
        return pickle.TensorsOf(pickle.Run(), bareName);
    }

    private object? Run()
    {
        ReadOpcode();
        if (_opcode != PickleOpcode.PROTO || Take(1)[0] != 2)
            throw Bad("a pickle of protocol 2", Shown());
        for (ReadOpcode(); _opcode != PickleOpcode.STOP; ReadOpcode())
            Execute();
        if (_at != _bytes.Length || _stack.Count != 1)
            throw Bad("the end, with one object", $"{_bytes.Length - _at} bytes more and {_stack.Count} objects");
        return _stack[0];
    }

    private void ReadOpcode()
    {
        _opcodeAt = _at;
        _opcode = (PickleOpcode)Take(1)[0];
    }

    private void Execute()
    {
        switch (_opcode)
        {
            case PickleOpcode.MARK: Push(PickleMark.Instance); break;
            case PickleOpcode.NONE: Push(null); break;
            case PickleOpcode.NEWTRUE: Push(true); break;
            case PickleOpcode.NEWFALSE: Push(false); break;
            case PickleOpcode.BININT: PushNumber(BinaryPrimitives.ReadInt32LittleEndian(Take(4))); break;
            case PickleOpcode.BININT1: PushNumber(Take(1)[0]); break;
            case PickleOpcode.BININT2: PushNumber(BinaryPrimitives.ReadUInt16LittleEndian(Take(2))); break;
            case PickleOpcode.LONG1: PushLong(Take(Take(1)[0])); break;
            case PickleOpcode.BINFLOAT: PushMade(BinaryPrimitives.ReadDoubleBigEndian(Take(8)), 0); break;
            case PickleOpcode.BINUNICODE: PushText(BinaryPrimitives.ReadUInt32LittleEndian(Take(4))); break;
            case PickleOpcode.SHORT_BINSTRING: PushText(Take(1)[0]); break;
            case PickleOpcode.EMPTY_TUPLE: Push(Empty); break;
            case PickleOpcode.EMPTY_LIST: PushMade(new List<object?>(), 0); break;
            case PickleOpcode.EMPTY_DICT: PushMade(new PickleDictionary(isOrderedDict: false), ObjectCost); break;
            case PickleOpcode.TUPLE: PushTuple(PopToMark()); break;
            case PickleOpcode.TUPLE1: PushTuple(Pop(1)); break;
            case PickleOpcode.TUPLE2: PushTuple(Pop(2)); break;
            case PickleOpcode.TUPLE3: PushTuple(Pop(3)); break;
            case PickleOpcode.APPEND: Append(Pop(1)); break;
            case PickleOpcode.APPENDS: Append(PopToMark()); break;
            case PickleOpcode.SETITEM: SetItems(Pop(2)); break;
            case PickleOpcode.SETITEMS: SetItems(PopToMark()); break;
            case PickleOpcode.BINGET: Push(Remembered(Take(1)[0])); break;
            case PickleOpcode.LONG_BINGET: Push(Remembered(BinaryPrimitives.ReadUInt32LittleEndian(Take(4)))); break;
            case PickleOpcode.BINPUT: Remember(Take(1)[0]); break;
            case PickleOpcode.LONG_BINPUT: Remember(BinaryPrimitives.ReadUInt32LittleEndian(Take(4))); break;
            case PickleOpcode.GLOBAL: Push(ReadGlobal()); break;
            case PickleOpcode.REDUCE: Reduce(); break;
            case PickleOpcode.BUILD: Build(); break;
            case PickleOpcode.BINPERSID: PushMade(StorageOf(Pop(1)[0]), ObjectCost); break;
            default: throw Bad("an opcode of a state dictionary", Shown());
        }
    }

    private ReadOnlySpan<byte> Take(long count)
    {
        if (count > _bytes.Length - _at)
            throw Bad($"{count} bytes", $"the end after {_bytes.Length - _at}");
        _at += (int)count;
        return _bytes.AsSpan(_at - (int)count, (int)count);
    }

    private void Push(object? value)
    {
        if (_stack.Count == MaxStack)
            throw Bad($"at most {MaxStack} objects on the stack", "more");
        _stack.Add(value);
    }

    private void PushMade(object value, int cost)
    {
        Charge(ObjectCost + cost);
        Push(value);
    }

    private void Charge(int cost)
    {
        _cost += cost;
        if (_cost > MaxCost + _bytes.Length)
            throw Bad($"objects of at most {(MaxCost + _bytes.Length) >> 20} MiB", "more");
    }

    private void PushNumber(long value) => PushMade(value, 0);

    private void PushLong(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > sizeof(long))
            throw Bad("a number of 64 bits", $"{bytes.Length} bytes");
        long value = 0;
        for (int i = 0; i < bytes.Length; i++)
            value |= (long)bytes[i] << (8 * i);
        int unused = 64 - (8 * bytes.Length);
        PushNumber(bytes.IsEmpty ? 0 : value << unused >> unused);
    }

    private void PushText(long count)
    {
        if (count > MaxTextBytes)
            throw Bad($"a string of at most {MaxTextBytes} bytes", $"{count}");
        ReadOnlySpan<byte> bytes = Take(count);
        if (!Utf8.IsValid(bytes))
            throw Bad("a string in UTF-8", "invalid bytes");
        PushMade(Encoding.UTF8.GetString(bytes), 2 * bytes.Length);
    }

    private void PushTuple(object?[] items) => PushMade(items, 8 * items.Length);

    private object?[] Pop(int count)
    {
        if (count > _stack.Count)
            throw Bad($"{count} objects on the stack", $"{_stack.Count}");
        object?[] items = [.. _stack[^count..]];
        if (items.Contains(PickleMark.Instance))
            throw Bad($"{count} objects on the stack", "a mark between them");
        _stack.RemoveRange(_stack.Count - count, count);
        return items;
    }

    private object?[] PopToMark()
    {
        int mark = _stack.LastIndexOf(PickleMark.Instance);
        if (mark < 0)
            throw Bad("a mark on the stack", "none");
        object?[] items = [.. _stack[(mark + 1)..]];
        _stack.RemoveRange(mark, _stack.Count - mark);
        return items;
    }

    private T Top<T>(string expected)
        where T : class =>
        _stack is [.., T top] ? top : throw Bad($"{expected} on the stack", _stack.Count == 0 ? "nothing" : Kind(_stack[^1]));

    private void Append(object?[] items)
    {
        Charge(16 * items.Length);
        Top<List<object?>>("a list").AddRange(items);
    }

    private void SetItems(object?[] items)
    {
        PickleDictionary dictionary = Top<PickleDictionary>("a dictionary");
        if (items.Length % 2 != 0)
            throw Bad("a value for each key", "a key without one");
        Charge(ObjectCost * items.Length);
        for (int i = 0; i < items.Length; i += 2)
        {
            if (items[i] is not string key)
                throw Bad("a string for a key", Kind(items[i]));
            if (!dictionary.TryAdd(key, items[i + 1]))
                throw Bad($"the key '{Shortened(key)}' once", "it twice");
        }
    }

    private object? Remembered(uint index) =>
        _memo.TryGetValue(index, out object? value) ? value : throw Bad($"an object in memo {index}", "none");

    private void Remember(uint index)
    {
        if (index >= MaxMemo || _stack is not [.., var top])
            throw Bad($"an object for a memo below {MaxMemo}", _stack.Count == 0 ? "nothing" : $"memo {index}");
        Charge(ObjectCost);
        _memo[index] = top is PickleMark ? throw Bad("an object to remember", "a mark") : top;
    }

    private PickleGlobal ReadGlobal()
    {
        (string module, string name) = (ReadLine(), ReadLine());
        bool known = PickleGlobal.All.TryGetValue($"{module}.{name}", out PickleGlobal? global) && !name.Contains('.', StringComparison.Ordinal);
        return known
            ? global!
            : throw Bad("a name that dense tensors need", $"global '{module}.{name}'", "Save the model as safetensors.");
    }

    private string ReadLine()
    {
        int length = _bytes.AsSpan(_at, Math.Min(256, _bytes.Length - _at)).IndexOf((byte)'\n');
        if (length < 0)
            throw Bad("a name of at most 255 bytes and a new line", "none");
        ReadOnlySpan<byte> line = Take(length + 1)[..^1];
        foreach (byte letter in line)
        {
            if (letter is <= (byte)' ' or > (byte)'~')
                throw Bad("a name of printable ASCII", $"byte 0x{letter:x2}");
        }

        return Encoding.ASCII.GetString(line);
    }

    private void Reduce()
    {
        object?[] call = Pop(2);
        if (call is not [PickleGlobal global, object?[] arguments])
            throw Bad("a name and a tuple", $"{Kind(call[0])} and {Kind(call[1])}");
        if (global == PickleGlobal.OrderedDict && arguments.Length == 0)
            PushMade(new PickleDictionary(isOrderedDict: true), ObjectCost);
        else if (global == PickleGlobal.RebuildParameter && arguments is [PickledTensor tensor, bool, PickleDictionary { Items.Count: 0 }])
            Push(tensor);
        else if (global == PickleGlobal.RebuildTensor)
            PushMade(TensorOf(arguments), 2 * ObjectCost);
        else
            throw Bad("arguments that build a dense tensor or an empty dictionary", $"{global.Name} of {arguments.Length}");
    }

    private PickledTensor TensorOf(object?[] arguments)
    {
        bool known = arguments is [PickledStorage, >= 0L, object?[], object?[], bool, PickleDictionary { Items.Count: 0 }]
            or [PickledStorage, >= 0L, object?[], object?[], bool, PickleDictionary { Items.Count: 0 }, null];
        if (!known)
            throw Bad("storage, offset, size, strides, a flag and no hooks", string.Join(", ", arguments.Take(8).Select(Kind)));
        (long[] shape, long[] strides) = (Numbers((object?[])arguments[2]!), Numbers((object?[])arguments[3]!));
        return shape.Length == strides.Length
            ? new PickledTensor((PickledStorage)arguments[0]!, (long)arguments[1]!, shape, strides)
            : throw Bad($"{shape.Length} strides", $"{strides.Length}");
    }

    private long[] Numbers(object?[] items) => items.Length <= MaxRank && items.All(item => item is >= 0L)
        ? [.. items.Cast<long>()]
        : throw Bad($"at most {MaxRank} numbers that are not negative", $"({string.Join(", ", items.Take(MaxRank + 1).Select(Kind))})");

    private PickledStorage StorageOf(object? reference)
    {
        bool known = reference is object?[] and ["storage", PickleGlobal { Storage: not null }, string, string, >= 0L];
        if (!known)
            throw Bad("('storage', class, key, device, number of elements)", Kind(reference));
        var parts = (object?[])reference!;
        var key = (string)parts[2]!;
        bool plain = key.Length is >= 1 and <= MaxKeyChars && key.All(c => char.IsAsciiLetterOrDigit(c) || c == '_');
        return plain
            ? new PickledStorage(((PickleGlobal)parts[1]!).Storage!.Value, key, (long)parts[4]!)
            : throw Bad("a storage's key of letters and digits", $"'{Shortened(key)}'");
    }

    // Only attributes such as a state dictionary's _metadata come this way; nothing reads them.
    private void Build()
    {
        if (Pop(1)[0] is not PickleDictionary || !Top<PickleDictionary>("an OrderedDict").IsOrderedDict)
            throw Bad("attributes of an OrderedDict", "another object");
    }

    private List<KeyValuePair<string, PickledTensor>> TensorsOf(object? value, string? bareName)
    {
        if (bareName is not null)
            return value is PickledTensor bare ? [new(bareName, bare)] : throw Bad("one tensor", Kind(value));
        if (value is not PickleDictionary { Items.Count: <= MaxTensors } dictionary)
            throw Bad($"a dictionary of at most {MaxTensors} tensors", Kind(value));
        var tensors = new List<KeyValuePair<string, PickledTensor>>(dictionary.Items.Count);
        foreach ((string name, object? item) in dictionary.Items)
        {
            if (name.Length > MaxNameBytes || name.Any(char.IsControl))
                throw Bad($"names of at most {MaxNameBytes} characters without controls", $"'{Shortened(name)}'");
            if (item is not PickledTensor tensor)
                throw Bad($"a tensor named '{Shortened(name)}'", Kind(item), "Save the model's state_dict() alone.");
            tensors.Add(new(name, tensor));
        }

        return tensors;
    }

    private static string Kind(object? value) => value switch
    {
        null => "None",
        bool flag => flag ? "True" : "False",
        long number => $"{number}",
        double => "a float",
        string text => $"'{Shortened(text)}'",
        object?[] tuple => $"a tuple of {tuple.Length}",
        List<object?> => "a list",
        PickleDictionary => "a dictionary",
        PickleGlobal global => global.Name,
        PickledStorage storage => $"storage {storage.Key}",
        PickledTensor => "a tensor",
        _ => "a mark",
    };

    private static string Shortened(string text) =>
        new([.. text.Take(80).Select(c => char.IsControl(c) || char.IsSurrogate(c) ? '?' : c)]);

    private string Shown() => Enum.IsDefined(_opcode) ? $"opcode {_opcode} (0x{(byte)_opcode:x2})" : $"byte 0x{(byte)_opcode:x2}";

    private CheckpointException Bad(string expected, string found, string? remedy = null) =>
        new(_path, $"data.pkl, {(Enum.IsDefined(_opcode) ? _opcode : "opcode")} at byte {_opcodeAt}", expected, found, remedy);
}
