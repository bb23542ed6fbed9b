using Serving.Glyphs.Embeddings;
using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu;
using TorchSharp;

namespace Serving.Inference.Torch;

/// <summary>Reads a model's weights straight into a device's memory, slice by slice: on a GPU through a little pinned memory, on the
/// CPU with none between. Dispose it when all are read.</summary>
/// <param name="accelerator">Where to.</param>
/// <param name="type">What matrices are held as.</param>
internal sealed class WeightLoader(Accelerator accelerator, torch.ScalarType type) : IDisposable
{
    private const int SliceElements = 1 << 24;

    private readonly Dictionary<torch.ScalarType, DeviceTensor> _staging = [];
    private readonly List<DeviceTensor> _held = [];

    private delegate void Reader(long start, Span<byte> bytes);

    /// <summary>Everything that was read: to be released by whoever keeps the weights.</summary>
    public IReadOnlyList<DeviceTensor> Held => _held;

    public DeviceTensor Table(FrozenTable table)
    {
        torch.ScalarType stored = table.Bytes == table.Elements * sizeof(float) ? torch.ScalarType.Float32 : torch.ScalarType.BFloat16;
        DeviceTensor flat = Empty(stored, table.Elements);
        Fill(flat, stored, (start, bytes) => CopyRows(table, start, bytes));
        return Share(flat.view(table.Rows, table.Dimensions));
    }

    public DeviceLinear Linear(LinearWeights linear)
    {
        DeviceTensor weight = Empty(type, linear.Weight.Elements);
        Fill(weight, linear.Weight);
        return new DeviceLinear(Share(weight.view(linear.Outputs, linear.Inputs)), linear.Bias is null ? null : Share(Read(linear.Bias, type)));
    }

    /// <summary>Queries, keys and values as one matrix [3 width, width]. Queries and keys are reordered for one way of turning pairs,
    /// which leaves their products as they are.</summary>
    public DeviceLinear QueryKeyValue(BlockWeights block, TransformerWeights weights)
    {
        LinearWeights[] parts = [block.Query, block.Key, block.Value];
        long width = weights.Width;
        DeviceTensor matrix = Empty(type, 3 * width * width), bias = torch.zeros([3 * width], type, accelerator.Place);
        for (int i = 0; i < parts.Length; i++)
        {
            Fill(matrix.narrow(0, i * width * width, width * width), parts[i].Weight);
            if (parts[i].Bias is { } own)
                Fill(bias.narrow(0, i * width, width), own);
        }
        Pair(matrix.narrow(0, 0, 2 * width * width), width, weights);
        Pair(bias.narrow(0, 0, 2 * width), 1, weights);
        bool hasBias = parts.Any(part => part.Bias is not null);
        return new DeviceLinear(Share(matrix.view(3 * width, width)), hasBias ? Share(bias) : null);
    }

    public DeviceNorm Norm(NormWeights norm, TransformerWeights weights) => new(
        Share(Read(norm.Weight, torch.ScalarType.Float32)),
        norm.Bias is null ? null : Share(Read(norm.Bias, torch.ScalarType.Float32)), weights.Norm, weights.NormEpsilon, type);

    public unsafe DeviceRotary Rotary(TransformerWeights weights)
    {
        using var angles = new RotaryTable(weights.ContextTokens, weights.HeadSize, weights.RopePairing);
        angles.Reach(weights.ContextTokens);
        long positions = weights.ContextTokens, size = weights.HeadSize;
        DeviceTensor flat = Empty(torch.ScalarType.Float32, positions * 2 * size);
        Fill(flat, torch.ScalarType.Float32, (start, bytes) => new ReadOnlySpan<byte>((byte*)angles.Cosines(0) + start, bytes.Length).CopyTo(bytes));
        return new DeviceRotary(Share(flat.view(positions, 2, size)));
    }

    /// <summary>Frees the memory between; and what was read, unless somebody keeps it.</summary>
    public void Dispose()
    {
        foreach (DeviceTensor staging in _staging.Values)
            staging.Dispose();
    }

    /// <summary>Frees what was read so far: the rest could not be.</summary>
    public void GiveUp() => _held.ForEach(accelerator.Tensors.Release);

    private static void CopyRows(FrozenTable table, long start, Span<byte> bytes)
    {
        long rowBytes = table.Bytes / table.Rows;
        while (bytes.Length > 0)
        {
            (long row, long offset) = Math.DivRem(start, rowBytes);
            ReadOnlySpan<byte> part = table.RowBytes((int)row)[(int)offset..];
            part = part[..Math.Min(part.Length, bytes.Length)];
            part.CopyTo(bytes);
            start += part.Length;
            bytes = bytes[part.Length..];
        }
    }

    private DeviceTensor Share(DeviceTensor tensor)
    {
        DeviceTensor held = accelerator.Tensors.Share(tensor);
        _held.Add(held);
        return held;
    }

    private DeviceTensor Read(Tensor source, torch.ScalarType target)
    {
        DeviceTensor flat = Empty(target, source.Elements);
        Fill(flat, source);
        return flat;
    }

    private void Fill(DeviceTensor target, Tensor source) => Fill(target, source.DType.ToTorch(), source.Read);

    private void Fill(DeviceTensor target, torch.ScalarType stored, Reader read)
    {
        long elements = target.NumberOfElements, size = stored == torch.ScalarType.Float32 ? 4 : 2;
        for (long start = 0; start < elements; start += SliceElements)
        {
            long count = Math.Min(SliceElements, elements - start);
            using DeviceTensor place = target.narrow(0, start, count);
            if (accelerator.IsHost && target.dtype == stored)
            {
                read(start * size, place.bytes);
                continue;
            }
            using DeviceTensor slice = Staging(stored).narrow(0, 0, count);
            read(start * size, slice.bytes);
            place.copy_(slice);
        }
    }

    private DeviceTensor Staging(torch.ScalarType stored)
    {
        if (!_staging.TryGetValue(stored, out DeviceTensor? staging))
            _staging.Add(stored, staging = accelerator.HostMemory(SliceElements, stored));
        return staging;
    }

    // Element i and element i + half of each head become a pair, whatever pairs the checkpoint has.
    private void Pair(DeviceTensor rows, long columns, TransformerWeights weights)
    {
        if (weights.RopePairing == RopePairing.Half)
            return;
        int size = weights.HeadSize;
        long[] order = [.. Enumerable.Range(0, size).Select(element => (long)RotaryTable.StoredElement(element, size, weights.RopePairing))];
        DeviceTensor heads = rows.view(2 * weights.Heads, size, columns);
        heads.copy_(heads.index_select(1, torch.tensor(order, device: accelerator.Place)));
    }

    private DeviceTensor Empty(torch.ScalarType elementType, long elements) => torch.empty([elements], elementType, accelerator.Place);
}
