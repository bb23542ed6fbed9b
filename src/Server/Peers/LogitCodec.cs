using System.Buffers.Binary;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace Serving.Server.Peers;

/// <summary>Writes and reads rows of logits in each <see cref="LogitForm"/>. Not thread-safe: keeps scratch memory.</summary>
internal sealed class LogitCodec(int vocabulary, LogitEncoding encoding)
{
    private readonly float[] _distances = new float[vocabulary];
    private readonly PriorityQueue<int, float> _best = new();

    /// <summary>A row of fewer tokens than are exact anyway travels whole.</summary>
    private readonly LogitForm _form = encoding.Kind == LogitForm.Top && encoding.Top >= vocabulary ? LogitForm.F32 : encoding.Kind;

    /// <summary>Bytes of one row.</summary>
    public int RowBytes => _form switch
    {
        LogitForm.F32 => vocabulary * sizeof(float),
        LogitForm.F16 => sizeof(float) + (vocabulary * 2),
        _ => sizeof(float) + (encoding.Top * 8),
    };

    /// <param name="row">[vocabulary], finite.</param>
    /// <param name="target">[<see cref="RowBytes"/>]</param>
    public void Write(ReadOnlySpan<float> row, Span<byte> target)
    {
        if (_form == LogitForm.F32)
            MemoryMarshal.AsBytes(row).CopyTo(target);
        else if (_form == LogitForm.F16)
            WriteHalves(row, target);
        else
            WriteTop(row, target);
    }

    /// <param name="source">[<see cref="RowBytes"/>]</param>
    /// <param name="row">[vocabulary]</param>
    public void Read(ReadOnlySpan<byte> source, Span<float> row)
    {
        if (_form == LogitForm.F32)
            source.CopyTo(MemoryMarshal.AsBytes(row));
        else if (_form == LogitForm.F16)
            ReadHalves(source, row);
        else
            ReadTop(source, row);
    }

    private void WriteHalves(ReadOnlySpan<float> row, Span<byte> target)
    {
        float max = TensorPrimitives.Max(row);
        BinaryPrimitives.WriteSingleLittleEndian(target, max);
        TensorPrimitives.Subtract(row, max, _distances);
        TensorPrimitives.ConvertToHalf(_distances, MemoryMarshal.Cast<byte, Half>(target[sizeof(float)..]));
    }

    private static void ReadHalves(ReadOnlySpan<byte> source, Span<float> row)
    {
        float max = BinaryPrimitives.ReadSingleLittleEndian(source);
        TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<byte, Half>(source[sizeof(float)..]), row);
        TensorPrimitives.Add(row, max, row);
    }

    private void WriteTop(ReadOnlySpan<float> row, Span<byte> target)
    {
        _best.Clear();
        for (int id = 0; id < row.Length; id++)
        {
            if (_best.Count < encoding.Top)
                _best.Enqueue(id, row[id]);
            else if (_best.TryPeek(out _, out float least) && row[id] > least)
                _best.DequeueEnqueue(id, row[id]);
        }
        row.CopyTo(_distances);
        int at = sizeof(float);
        while (_best.TryDequeue(out int id, out float logit))
        {
            BinaryPrimitives.WriteInt32LittleEndian(target[at..], id);
            BinaryPrimitives.WriteSingleLittleEndian(target[(at + 4)..], logit);
            _distances[id] = float.NegativeInfinity;
            at += 8;
        }
        BinaryPrimitives.WriteSingleLittleEndian(target, LogSum(_distances));
    }

    private void ReadTop(ReadOnlySpan<byte> source, Span<float> row)
    {
        float tail = BinaryPrimitives.ReadSingleLittleEndian(source);
        row.Fill((float)(tail - Math.Log(vocabulary - encoding.Top)));
        for (int at = sizeof(float); at < source.Length; at += 8)
        {
            int id = BinaryPrimitives.ReadInt32LittleEndian(source[at..]);
            if ((uint)id >= (uint)row.Length)
                throw new InvalidDataException($"A row of {vocabulary} logits has no token {id}.");
            row[id] = BinaryPrimitives.ReadSingleLittleEndian(source[(at + 4)..]);
        }
    }

    private static float LogSum(ReadOnlySpan<float> logits)
    {
        float max = TensorPrimitives.Max(logits);
        double sum = 0;
        foreach (float logit in logits)
            sum += Math.Exp(logit - max);
        return (float)(max + Math.Log(sum));
    }
}
