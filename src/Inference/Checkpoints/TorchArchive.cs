using Microsoft.Win32.SafeHandles;

namespace Serving.Inference.Checkpoints;

/// <summary>
/// An open file of <c>torch.save</c>: a zip archive with a pickle that describes tensors and with their storages. Only dense
/// tensors are read, views of a storage by their strides, and nothing in the file is ever executed.
/// </summary>
public sealed class TorchArchive : IDisposable
{
    private const string Pickle = "data.pkl";

    private readonly SafeFileHandle _file;

    private TorchArchive(string path, SafeFileHandle file, Dictionary<string, Tensor> tensors)
    {
        (Path, _file, Tensors) = (path, file, tensors);
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>Its tensors by name. Readable until the file is disposed.</summary>
    public IReadOnlyDictionary<string, Tensor> Tensors { get; }

    /// <summary>Opens a file and checks everything but the tensors' values.</summary>
    /// <param name="path">The file.</param>
    /// <param name="bareName">The name to give a tensor that was saved alone; null = a dictionary of tensors is
    /// expected.</param>
    /// <exception cref="CheckpointException">The file is missing, has another format, or asks for anything but dense
    /// tensors.</exception>
    public static TorchArchive Open(string path, string? bareName = null)
    {
        SafeFileHandle file = FileBytes.Open(path);
        try
        {
            Dictionary<string, StoredEntry> entries = StoredZip.Read(path, file);
            RequireKnownKind(path, file, entries);
            var tensors = new Dictionary<string, Tensor>(StringComparer.Ordinal);
            foreach ((string name, PickledTensor tensor) in TorchPickle.Read(path, ReadPickle(path, file, entries), bareName))
                tensors.Add(name, View(path, file, entries, name, tensor));
            return new TorchArchive(path, file, tensors);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Closes the file; its tensors can no longer be read.</summary>
    public void Dispose() => _file.Dispose();

    // Files from before PyTorch 2.1 do not say their byte order: it was the machine's, and little-endian in all but a few.
    private static void RequireKnownKind(string path, SafeFileHandle file, Dictionary<string, StoredEntry> entries)
    {
        if (entries.Keys.FirstOrDefault(name => name == "constants.pkl" || name.StartsWith("code/", StringComparison.Ordinal)) is { } code)
            throw new CheckpointException(path, $"archive entry '{code}'", "tensors", "TorchScript", "Save the model's state_dict().");
        if (!entries.TryGetValue("byteorder", out StoredEntry entry))
            return;
        Span<byte> order = stackalloc byte[6];
        bool little = entry.Bytes == order.Length;
        if (little)
            FileBytes.Read(file, entry.Offset, order, path, "archive entry 'byteorder'");
        if (!little || !order.SequenceEqual("little"u8))
            throw new CheckpointException(path, "archive entry 'byteorder'", "little", "another");
    }

    private static byte[] ReadPickle(string path, SafeFileHandle file, Dictionary<string, StoredEntry> entries)
    {
        if (!entries.TryGetValue(Pickle, out StoredEntry entry))
            throw new CheckpointException(path, $"archive entry '{Pickle}'", "it to be there", "none");
        if (entry.Bytes > TorchPickle.MaxBytes)
            throw new CheckpointException(path, $"archive entry '{Pickle}'", $"at most {TorchPickle.MaxBytes} bytes", $"{entry.Bytes}");
        var bytes = new byte[entry.Bytes];
        FileBytes.Read(file, entry.Offset, bytes, path, $"archive entry '{Pickle}'");
        return bytes;
    }

    private static Tensor View(
        string path, SafeFileHandle file, Dictionary<string, StoredEntry> entries, string name, PickledTensor tensor)
    {
        PickledStorage storage = tensor.Storage;
        long itemBytes = storage.DType.Bits() / 8;
        StoredEntry entry = default;
        bool whole = entries.TryGetValue($"data/{storage.Key}", out entry)
            && (UInt128)storage.Elements * (UInt128)itemBytes == (UInt128)entry.Bytes;
        if (!whole)
        {
            throw new CheckpointException(path, $"tensor '{name}'",
                $"an entry 'data/{storage.Key}' with {storage.Elements} elements {storage.DType}", $"{entry.Bytes} bytes");
        }

        if (!Fits(tensor))
        {
            throw new CheckpointException(path, $"tensor '{name}'", $"a view inside its storage of {storage.Elements} elements",
                $"offset {tensor.Offset}, size [{string.Join(", ", tensor.Shape)}], strides [{string.Join(", ", tensor.Strides)}]");
        }

        long offset = entry.Offset + (tensor.Offset * itemBytes);
        if (tensor.IsContiguous())
            return Tensor.InFile(name, storage.DType, tensor.Shape, path, file, offset);

        // Gathered in memory, which the file's size must bound: a stride of 0 repeats what is stored once.
        long elements = tensor.Shape.Aggregate(1L, (product, dimension) => product * dimension);
        return elements <= storage.Elements && entry.Bytes <= StridedElements.MaxBytes
            ? Tensor.InFile(name, storage.DType, tensor.Shape, tensor.Strides, path, file, offset)
            : throw new CheckpointException(path, $"tensor '{name}'", "a view of no more elements than its storage has, below 2 GiB",
                $"size [{string.Join(", ", tensor.Shape)}], strides [{string.Join(", ", tensor.Strides)}]",
                "Call .contiguous() on it before saving.");
    }

    private static bool Fits(PickledTensor tensor)
    {
        try
        {
            return tensor.RequiredElements() <= tensor.Storage.Elements;
        }
        catch (OverflowException)
        {
            return false;
        }
    }
}
