namespace Serving.Inference.Cpu;

// The end of a pass: the rows that are asked for logits, or for their hidden states.
public sealed unsafe partial class CpuBackend
{
    // What follows the last keys and values concerns only the rows that are asked for something: they move to the front.
    private void KeepAskedRows()
    {
        _rows = 0;
        foreach (ref readonly ForwardBatch.Chunk chunk in _batch.Chunks)
        {
            int end = chunk.Start + chunk.Length;
            for (int row = end - AskedRows(chunk); row < end; row++, _rows++)
            {
                if (row == _rows)
                    continue;
                (_work.ChunkOf[_rows], _work.Positions[_rows]) = (_work.ChunkOf[row], _work.Positions[row]);
                Move(_work.Residual, _work.Stride, row, _model.Width);
                Move(_work.QueryKeyValue, _work.QueryKeyValueStride, row, _model.Heads * _model.HeadStride);
            }
        }

        void Move(float* rows, int stride, int row, int count) =>
            new ReadOnlySpan<float>(rows + ((long)row * stride), count).CopyTo(new Span<float>(rows + ((long)_rows * stride), count));
    }

    private static int AskedRows(in ForwardBatch.Chunk chunk) => chunk.HiddenSum is null ? chunk.LogitRows : chunk.Length;

    // The asked rows stand in front, chunk after chunk; those that want logits go to the head together. Returns how many.
    private int CollectAskedRows()
    {
        int row = 0, target = 0;
        foreach (ref readonly ForwardBatch.Chunk chunk in _batch.Chunks)
        {
            int end = row + AskedRows(chunk);
            if (chunk.HiddenSum is { } sum)
                SumHidden(sum, chunk.Position == 0, row, end, NormedRow(target));
            for (row = end - chunk.LogitRows; row < end; row++, target++)
                FinalHidden(row, NormedRow(target));
        }
        return target;
    }

    private float* NormedRow(int row) => _work.Normed + ((long)row * _work.Stride);

    // One addition after the other in the order of positions, so that the sum is the same bits for any chunking.
    private void SumHidden(double[] sum, bool isFirst, int row, int end, float* scratch)
    {
        if (isFirst)
            Array.Clear(sum);
        for (; row < end; row++)
        {
            ReadOnlySpan<float> hidden = FinalHidden(row, scratch);
            for (int i = 0; i < hidden.Length; i++)
                sum[i] += hidden[i];
        }
    }

    // What the head reads of a row.
    private ReadOnlySpan<float> FinalHidden(int row, float* to)
    {
        float* from = _work.Residual + ((long)row * _work.Stride);
        if (_headNorm is { } norm)
            norm.Apply(_kernels, from, to);
        else
            new ReadOnlySpan<float>(from, _model.Width).CopyTo(new Span<float>(to, _model.Width));
        return new ReadOnlySpan<float>(to, _model.Width);
    }
}
