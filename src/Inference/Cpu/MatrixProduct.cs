using Serving.Inference.Cpu.Kernels;

namespace Serving.Inference.Cpu;

/// <summary>Rows times a packed matrix, spread over the pool. Reused for every product; owned by one backend.</summary>
internal sealed unsafe class MatrixProduct : IDisposable
{
    // Inputs taken at once: a panel's slice then stays in the second-level cache for all rows of a block.
    private const int InputBlock = 1024;
    private const int RowBlock = 96;

    private const long SmallWork = 1 << 18;
    private const int ItemsPerThread = 4;
    private const int QuantizeAtOnce = 1 << 14;

    private readonly KernelSet _kernels;
    private readonly WorkerPool _pool;
    private readonly NativeBuffer _sums;
    private readonly QuantizedRows _quantized = new();
    private readonly Action<int, int> _body;
    private readonly Action<int, int> _quantize;

    private PackedMatrix _matrix = null!;
    private float* _x;
    private nint _xStride;
    private ByteRows _bytes;
    private int _rowsPerQuantize;
    private float* _y;
    private nint _yStride;
    private int _rows;
    private int _panelsPerItem;
    private int _rowBlocks;
    private Epilogue _epilogue;

    public MatrixProduct(KernelSet kernels, WorkerPool pool)
    {
        (_kernels, _pool, _body, _quantize) = (kernels, pool, RunItem, QuantizeItem);
        _sums = NativeBuffer.OfFloats((long)pool.Threads * RowBlock * KernelSet.PanelOutputs);
    }

    /// <summary>y = epilogue(x · matrixᵀ + bias).</summary>
    /// <param name="x">[rows, inputs], <paramref name="xStride"/> apart.</param>
    /// <param name="xStride">Floats from row to row.</param>
    /// <param name="rows">How many.</param>
    /// <param name="matrix">The weights.</param>
    /// <param name="y">[rows, outputs]; a row's values up to <paramref name="yStride"/> may be written, with zeros.</param>
    /// <param name="yStride">Floats from row to row: outputs (with <see cref="Epilogue.Store"/>), or a multiple of 64.</param>
    /// <param name="epilogue">What becomes of the sums.</param>
    public void Run(float* x, nint xStride, int rows, PackedMatrix matrix, float* y, nint yStride, Epilogue epilogue)
    {
        _pool.Run(Take(x, xStride, rows, matrix));
        _pool.Run(Multiply(y, yStride, epilogue));
    }

    /// <summary>The first half of <see cref="Run"/>: makes rows and matrix ready to be multiplied.</summary>
    public Region Take(float* x, nint xStride, int rows, PackedMatrix matrix)
    {
        (_matrix, _rows, _xStride) = (matrix, rows, xStride);
        _x = x;
        if (matrix.Format != WeightFormat.Int8 || rows == 0)
            return new Region(0, _quantize);
        _bytes = _quantized.Make(rows, matrix.Inputs);
        _rowsPerQuantize = Math.Max(1, QuantizeAtOnce / matrix.Inputs);
        return new Region((rows + _rowsPerQuantize - 1) / _rowsPerQuantize, _quantize);
    }

    /// <summary>The second half: the product of what was taken.</summary>
    public Region Multiply(float* y, nint yStride, Epilogue epilogue)
    {
        (_yStride, _epilogue) = (yStride, epilogue);
        _y = y;
        _rowBlocks = (_rows + RowBlock - 1) / RowBlock;
        _panelsPerItem = Math.Max(1, _matrix.Panels / (_pool.Threads * ItemsPerThread));
        int items = (_matrix.Panels + _panelsPerItem - 1) / _panelsPerItem * _rowBlocks;
        return new Region(items, _body, IsSmall: (long)_rows * _matrix.Outputs * _matrix.Inputs < SmallWork);
    }

    /// <summary>Bytes of scratch, but for what <see cref="QuantizedRows"/> takes.</summary>
    public static long BytesOf(int threads) => (long)threads * RowBlock * KernelSet.PanelOutputs * sizeof(float);

    public void Dispose()
    {
        _sums.Dispose();
        _quantized.Dispose();
    }

    private void QuantizeItem(int item, int worker)
    {
        int first = item * _rowsPerQuantize, end = Math.Min(_rows, first + _rowsPerQuantize);
        for (int row = first; row < end; row++)
            _bytes.Quantize(row, _x + (row * _xStride), _matrix.Inputs);
    }

    private void RunItem(int item, int worker)
    {
        (int panels, int rowBlock) = Math.DivRem(item, _rowBlocks);
        int firstRow = rowBlock * RowBlock, rows = Math.Min(RowBlock, _rows - firstRow);
        int end = Math.Min(_matrix.Panels, (panels + 1) * _panelsPerItem);
        for (int panel = panels * _panelsPerItem; panel < end; panel++)
            RunPanel(panel, Math.Min(panel + 1, end - 1), panel == panels * _panelsPerItem, firstRow, rows, worker);
    }

    private void RunPanel(int panel, int nextPanel, bool isFirst, int firstRow, int rows, int worker)
    {
        float* sums = _sums.Floats + (worker * RowBlock * KernelSet.PanelOutputs);
        var bias = new ReadOnlySpan<float>(_matrix.Bias(panel), KernelSet.PanelOutputs);
        for (int row = 0; row < rows; row++)
            bias.CopyTo(new Span<float>(sums + (row * KernelSet.PanelOutputs), KernelSet.PanelOutputs));

        // A single tile passes over its weights once, so slices would gain nothing.
        int inputBlock = rows <= KernelSet.TileRows ? _matrix.Inputs : InputBlock;
        for (int input = 0; input < _matrix.Inputs; input += inputBlock)
        {
            PanelSlice slice = _matrix.Slice(panel, input, Math.Min(inputBlock, _matrix.Inputs - input));
            byte* next = input + inputBlock < _matrix.Inputs
                ? _matrix.Slice(panel, input + inputBlock, 0).Weights
                : _matrix.Slice(nextPanel, 0, 0).Weights;
            MultiplyAdd(slice, next, isFar: isFirst && input == 0, firstRow, input, rows, sums);
        }

        int first = panel * KernelSet.PanelOutputs, count = (int)Math.Min(KernelSet.PanelOutputs, _yStride - first);
        for (int row = 0; row < rows; row++)
            _kernels.Finish(sums + (row * KernelSet.PanelOutputs), _y + ((firstRow + row) * _yStride) + first, count, _epilogue);
    }

    // Tiles of nearly equal height: 8 rows are 4 and 4, not 6 and 2. What comes next is asked for by two of them, a half each, so that
    // memory keeps up; weights that nobody asked for are brought near by the first.
    private void MultiplyAdd(in PanelSlice slices, byte* next, bool isFar, int row, int input, int rows, float* sums)
    {
        int tiles = (rows + KernelSet.TileRows - 1) / KernelSet.TileRows;
        for (int pass = isFar || tiles == 1 ? -1 : 0; tiles > 0; tiles--, pass++)
        {
            PanelSlice slice = pass < 0 ? slices : slices.Before(next, Math.Min(pass, 1));
            int height = rows / tiles;
            if (slice.Format == WeightFormat.Int8)
                _kernels.MultiplyAdd(_bytes.From(row, input), height, slice, sums);
            else
                _kernels.MultiplyAdd(_x + (row * _xStride) + input, _xStride, height, slice, sums);
            rows -= height;
            row += height;
            sums += height * KernelSet.PanelOutputs;
        }
    }
}
