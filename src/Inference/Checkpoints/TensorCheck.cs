using System.Buffers;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Serving.Glyphs.Embeddings;

namespace Serving.Inference.Checkpoints;

/// <summary>What reading all of a tensor has shown.</summary>
/// <param name="Tensor">The tensor.</param>
/// <param name="NotNumbers">Values that are NaN.</param>
/// <param name="Infinities">Values that are infinite, of either sign.</param>
/// <param name="First">Where the first of both is, an index for each dimension; null = there is none.</param>
/// <param name="Fingerprint">Of its content, if its file says what it should be; else null.</param>
public sealed record TensorCheck(Tensor Tensor, long NotNumbers, long Infinities, IReadOnlyList<long>? First, string? Fingerprint)
{
    private const int SliceBytes = 1 << 20;

    /// <summary>Whether its bytes are those that were written; true where the file does not say.</summary>
    public bool IsIntact => Fingerprint == Tensor.Fingerprint;

    /// <summary>Whether it is as it was written and all its values are finite.</summary>
    public bool IsSound => IsIntact && First is null;

    /// <summary>Reads tensors on all processors, a megabyte of each at a time.</summary>
    /// <param name="tensors">In files that are open.</param>
    /// <param name="progress">Told the bytes read, and of all.</param>
    /// <returns>In the tensors' order.</returns>
    /// <exception cref="CheckpointException">One cannot be read.</exception>
    public static IReadOnlyList<TensorCheck> Of(IReadOnlyList<Tensor> tensors, IProgress<(long Done, long Total)>? progress = null)
    {
        var checks = new TensorCheck[tensors.Count];
        (long done, long total) = (0, tensors.Sum(tensor => tensor.Bytes));
        ForEach(tensors, i =>
        {
            checks[i] = Of(tensors[i]);
            progress?.Report((Interlocked.Add(ref done, tensors[i].Bytes), total));
        });
        return checks;
    }

    /// <summary>Compares tensors with the fingerprints that their files say they have; those without one are not read.</summary>
    /// <exception cref="CheckpointException">One has other bytes than were written, or cannot be read.</exception>
    public static void Verify(IEnumerable<Tensor> tensors)
    {
        Tensor[] told = [.. tensors.Where(tensor => tensor.Fingerprint is not null).OrderByDescending(tensor => tensor.Bytes)];
        ForEach(told, i =>
        {
            string found = TensorContent.FingerprintOf(told[i]);
            if (found != told[i].Fingerprint)
                throw new CheckpointException(told[i].Path, $"tensor '{told[i].Name}'", $"the bytes of {told[i].Fingerprint}", found,
                    "The file was damaged after it was written; copy or convert the model again.");
        });
    }

    private static TensorCheck Of(Tensor tensor)
    {
        using var fingerprint = new TensorFingerprint($"{tensor.DType}", tensor.Shape);
        (long notNumbers, long infinities, long first) = (0, 0, -1);
        byte[] slice = ArrayPool<byte>.Shared.Rent(SliceBytes);
        for (long start = 0; start < tensor.Bytes; start += SliceBytes)
        {
            Span<byte> part = slice.AsSpan(0, (int)Math.Min(SliceBytes, tensor.Bytes - start));
            tensor.Read(start, part);
            if (tensor.Fingerprint is not null)
                fingerprint.Append(part);
            (int nans, int endless, int at) = Count(tensor.DType, part);
            (notNumbers, infinities) = (notNumbers + nans, infinities + endless);
            if (first < 0 && at >= 0)
                first = (start / (tensor.DType.Bits() / 8)) + at;
        }

        ArrayPool<byte>.Shared.Return(slice);
        return new TensorCheck(tensor, notNumbers, infinities, first < 0 ? null : PlaceOf(first, tensor.Shape), tensor.Fingerprint is null ? null : fingerprint.Finish());
    }

    // A value is not finite if all bits of its exponent are set, and then not a number if any other but the sign is.
    private static (int NotNumbers, int Infinities, int First) Count(DType type, ReadOnlySpan<byte> bytes) => type switch
    {
        DType.F32 => Count(MemoryMarshal.Cast<byte, uint>(bytes), 0x7F80_0000u),
        DType.BF16 => Count(MemoryMarshal.Cast<byte, ushort>(bytes), (ushort)0x7F80),
        DType.F16 => Count(MemoryMarshal.Cast<byte, ushort>(bytes), (ushort)0x7C00),
        _ => (0, 0, -1),
    };

    private static (int NotNumbers, int Infinities, int First) Count<T>(ReadOnlySpan<T> values, T infinity)
        where T : unmanaged, IBinaryInteger<T>
    {
        (int notNumbers, int infinities, int first) = (0, 0, -1);
        T sign = T.One << ((Unsafe.SizeOf<T>() * 8) - 1);
        for (int i = 0; i < values.Length; i++)
        {
            if ((values[i] & infinity) != infinity)
                continue;
            if ((values[i] & ~sign) == infinity)
                infinities++;
            else
                notNumbers++;
            first = first < 0 ? i : first;
        }

        return (notNumbers, infinities, first);
    }

    private static long[] PlaceOf(long element, IReadOnlyList<long> shape)
    {
        var place = new long[shape.Count];
        for (int i = place.Length - 1; i >= 0; i--)
            (element, place[i]) = Math.DivRem(element, shape[i]);
        return place;
    }

    private static void ForEach(IReadOnlyList<Tensor> tensors, Action<int> work)
    {
        try
        {
            Parallel.For(0, tensors.Count, work);
        }
        catch (AggregateException faults) when (faults.InnerException is CheckpointException first)
        {
            ExceptionDispatchInfo.Throw(first);
        }
    }
}
