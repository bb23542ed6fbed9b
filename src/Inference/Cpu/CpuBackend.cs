using System.Runtime.InteropServices;
using Serving.Inference.Checkpoints;
using Serving.Inference.Cpu.Kernels;

namespace Serving.Inference.Cpu;

/// <summary>
/// The transformer on the CPU. Several may stand on one <see cref="CpuModel"/>, each with K/V of its own; a row's logits are the
/// same bits alone, in any batch, with any chunk size and any number of threads.
/// </summary>
/// <remarks>One thread at a time calls <see cref="Forward"/>. Backends share the process's threads and take turns, a whole
/// forward pass each.</remarks>
public sealed unsafe partial class CpuBackend : IBackend
{
    private const int NormRowsPerItem = 4;
    private const int AttendRowsPerItem = 8 * KernelSet.TileRows;
    private const int SmallRows = 8;

    private readonly CpuModel _weights;
    private readonly PackedModel _model;
    private readonly KernelSet _kernels;
    private readonly WorkerPool _pool;
    private readonly KvStore _kv;
    private readonly Workspace _work;
    private readonly MatrixProduct _product;
    private readonly int _headsPerItem;
    private readonly Action<int, int> _normRows;
    private readonly Action<int, int> _placeRows;
    private readonly Action<int, int> _attend;
    private readonly RegionChain[] _chain; // a pass, by itself

    private ForwardBatch _batch = null!;
    private PackedNorm? _norm;
    private int _rows;
    private bool _disposed;

    /// <summary>A backend with weights of its own; the files they come from may be closed afterwards.</summary>
    /// <param name="weights">The model.</param>
    /// <param name="options">Threads and K/V memory; null = defaults.</param>
    /// <exception cref="CheckpointException">The weights could not be read.</exception>
    public CpuBackend(TransformerWeights weights, CpuOptions? options = null)
        : this(new CpuModel(weights, options?.Threads ?? 0), options, isOwner: true)
    {
    }

    /// <summary>A backend on weights that others may stand on, too.</summary>
    /// <param name="model">The weights; held until this backend is disposed, even if its maker lets go of it before.</param>
    /// <param name="options">Threads and K/V memory; null = defaults.</param>
    /// <exception cref="ObjectDisposedException">Nobody holds <paramref name="model"/> any more.</exception>
    public CpuBackend(CpuModel model, CpuOptions? options = null)
        : this(model, options, isOwner: false)
    {
    }

    /// <summary>A backend of a grown model that can draft with an earlier stage of it.</summary>
    /// <param name="model">The weights; held like <paramref name="stage"/>.</param>
    /// <param name="stage">A stage with fewer blocks, all of which are the model's first.</param>
    /// <param name="options">Threads and K/V memory; null = defaults.</param>
    /// <exception cref="ArgumentException">The stage is no shallower, or of another shape.</exception>
    public CpuBackend(CpuModel model, CpuModel stage, CpuOptions? options = null)
        : this(model, options, isOwner: false)
    {
        ArgumentNullException.ThrowIfNull(stage);
        PackedModel first = stage.Packed;
        if (first.Blocks.Length >= _model.Blocks.Length || first.Width != _model.Width || first.VocabularySize != _model.VocabularySize)
        {
            Dispose();
            throw new ArgumentException("A stage must have fewer blocks than the model, and its width and vocabulary.", nameof(stage));
        }
        _exit = new EarlyExit(stage, _kv.Blocks, _work.Stride);
    }

    private CpuBackend(CpuModel model, CpuOptions? options, bool isOwner)
    {
        ArgumentNullException.ThrowIfNull(model);
        options ??= new CpuOptions();
        ArgumentOutOfRangeException.ThrowIfNegative(options.Threads, nameof(options));
        ArgumentOutOfRangeException.ThrowIfNegative(options.KvBlocks, nameof(options));
        if (!isOwner)
            model.Hold();
        (_weights, _model) = (model, model.Packed);
        _kernels = options.Kernels ?? KernelSet.Best;
        _pool = WorkerPool.OfThreads(options.Threads);
        int blocks = options.KvBlocks > 0 ? options.KvBlocks : CpuMemory.DefaultBlocks(_model.ContextTokens);
        _kv = new KvStore(_model.Blocks.Length, blocks, _model.Heads, _model.HeadStride);
        _work = new Workspace(_model, _pool.Threads);
        _product = new MatrixProduct(_kernels, _pool);
        _headsPerItem = Items(_model.Heads, 2 * _pool.Threads);
        (_normRows, _placeRows, _attend) = (NormRows, PlaceRows, Attend);
        _chain = [new RegionChain(NextRegion)];
        Shape = new ModelShape(_model.VocabularySize, _model.ContextTokens) { HiddenWidth = _model.Width };
        Kv = new KvCapacity(blocks, KvStore.BlockTokens);
    }

    /// <inheritdoc/>
    public ModelShape Shape { get; }

    /// <inheritdoc/>
    public KvCapacity Kv { get; }

    /// <summary>Its threads.</summary>
    internal WorkerPool Pool => _pool;

    /// <summary>The pass that began last.</summary>
    internal RegionChain Chain => _chain[0];

    /// <summary>The instructions that this machine's backends use: "AVX-512, VNNI", "AVX-512", "AVX2, VNNI", "AVX2" or "128-bit".</summary>
    public static string Instructions => KernelSet.Best.Name;

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">A token, position, block or the size of <paramref name="logits"/> is out of range;
    /// nothing has been computed then.</exception>
    public void Forward(ForwardBatch batch, Span<float> logits)
    {
        Check(batch, logits);
        if (batch.Tokens.Length == 0)
            return;
        using WorkerPool.Turn turn = _pool.TakeTurn(batch.Beat);
        fixed (float* y = logits)
        {
            Begin(batch, y);
            _pool.Run(_chain);
        }
    }

    /// <summary>Frees K/V, and the weights if no one else holds them.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        _weights.Release();
        _exit?.Dispose();
        _kv.Dispose();
        _work.Dispose();
        _product.Dispose();
    }

    private void Embed(ForwardBatch batch)
    {
        Place(batch);
        for (int row = 0; row < batch.Tokens.Length; row++)
        {
            var target = new Span<float>(_work.Residual + ((long)row * _work.Stride), _work.Stride);
            _model.Table.CopyRow(batch.Tokens[row], target);
            Lift(target[.._model.Width], _model.Table.Dimensions);
            target[_model.Width..].Clear(); // what is past the width stays zero
        }
    }

    // Which chunk each row belongs to, and where it stands in its sequence.
    private void Place(ForwardBatch batch)
    {
        ReadOnlySpan<ForwardBatch.Chunk> chunks = batch.Chunks;
        for (int index = 0; index < chunks.Length; index++)
        {
            _model.Rotary.Reach(chunks[index].Position + chunks[index].Length);
            for (int i = 0; i < chunks[index].Length; i++)
                (_work.ChunkOf[chunks[index].Start + i], _work.Positions[chunks[index].Start + i]) = (index, chunks[index].Position + i);
        }
    }

    // Fills a row with the narrow vector that stands in its front: by runs of each value, the last first, or with copies of it.
    private void Lift(Span<float> row, int values)
    {
        if (_model.InputLift == InputLift.Tiled)
        {
            for (int start = values; start < row.Length; start += values)
                row[..values].CopyTo(row[start..]);
            return;
        }

        int times = row.Length / values;
        for (int i = values - 1; times > 1 && i >= 0; i--)
            row.Slice(i * times, times).Fill(row[i]);
    }

    private void NormRows(int item, int worker)
    {
        for (int row = item * NormRowsPerItem, end = Math.Min(row + NormRowsPerItem, _rows); row < end; row++)
            _norm!.Apply(_kernels, _work.Residual + ((long)row * _work.Stride), _work.Normed + ((long)row * _work.Stride));
    }

    // Turns queries and keys by their positions and stores keys and values. A head's rows are one thread's business: values of
    // neighbouring tokens share words.
    private void PlaceRows(int item, int worker)
    {
        int stride = _model.HeadStride;
        int firstHead = item * _headsPerItem, endHead = Math.Min(firstHead + _headsPerItem, _model.Heads);
        float scale = 1 / MathF.Sqrt(_model.HeadSize);
        for (int head = firstHead; head < endHead; head++)
        {
            for (int row = 0; row < _rows; row++)
            {
                (int index, int slot) = Math.DivRem(_work.Positions[row], KvStore.BlockTokens);
                nint block = BlocksOf(row)[index] * _kv.BlockBytes;
                float* cosines = _model.Rotary.Cosines(_work.Positions[row]), sines = _model.Rotary.Sines(_work.Positions[row]);
                float* query = _work.QueryKeyValue + ((long)row * _work.QueryKeyValueStride) + (head * stride);
                float* key = query + (_model.Heads * stride), value = key + (_model.Heads * stride);
                _kernels.Rotate(query, cosines, sines, _model.HeadSize, scale);
                _kernels.Rotate(key, cosines, sines, _model.HeadSize, 1);
                _kernels.StoreKv(_kv.Keys(_layer, head) + block, _kv.Values(_layer, head) + block, slot, key, value, stride);
            }
        }
    }

    // Some heads of neighbouring rows: in a prefill those of a tile share keys and values.
    private void Attend(int item, int worker)
    {
        (int rows, int heads) = Math.DivRem(item, Items(_model.Heads, _headsPerItem));
        int end = Math.Min((rows + 1) * AttendRowsPerItem, _rows);
        int firstHead = heads * _headsPerItem, endHead = Math.Min(firstHead + _headsPerItem, _model.Heads);
        float* output = stackalloc float[KernelSet.TileRows * _model.HeadStride];
        var task = new AttentionTask
        {
            QueryStride = _work.QueryKeyValueStride,
            BlockBytes = _kv.BlockBytes,
            HeadBytes = _kv.HeadBytes,
            HeadSize = _model.HeadSize,
            HeadStride = _model.HeadStride,
            Scores = _work.Scores(worker),
            ScoreStride = _work.ScoreStride,
            Output = output,
        };
        for (int row = rows * AttendRowsPerItem; row < end; row += task.Queries)
        {
            task.Queries = IsTile(row, end) ? KernelSet.TileRows : 1;
            task.Tokens = _work.Positions[row] + 1;
            for (int head = firstHead; head < endHead; head++)
                AttendHead(ref task, row, head);
        }
    }

    private void AttendHead(ref AttentionTask task, int row, int head)
    {
        task.Query = _work.QueryKeyValue + ((long)row * _work.QueryKeyValueStride) + (head * _model.HeadStride);
        task.Keys = _kv.Keys(_layer, head);
        task.Values = _kv.Values(_layer, head);
        _kernels.Attend(task, BlocksOf(row));
        for (int query = 0; query < task.Queries; query++)
        {
            float* target = _work.Attended + ((long)(row + query) * _work.Stride) + (head * _model.HeadSize);
            new ReadOnlySpan<float>(task.Output + (query * _model.HeadStride), _model.HeadSize)
                .CopyTo(new Span<float>(target, _model.HeadSize));
        }
    }

    private bool IsTile(int row, int end) =>
        row + KernelSet.TileRows <= end && _work.ChunkOf[row] == _work.ChunkOf[row + KernelSet.TileRows - 1];

    /// <exception cref="ArgumentException">As <see cref="Forward"/>.</exception>
    internal void Check(ForwardBatch batch, ReadOnlySpan<float> logits)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        BatchCheck.Throw(batch, logits, Shape, Kv);
    }

    private ReadOnlySpan<int> BlocksOf(int row) => CollectionsMarshal.AsSpan(_batch.Chunks[_work.ChunkOf[row]].Blocks);

    private bool IsSmallAttention()
    {
        long tokens = 0;
        for (int row = 0; row < _rows; row++)
            tokens += _work.Positions[row] + 1;
        return tokens * _model.Width < 1 << 17;
    }

    private static int Items(int rows, int rowsPerItem) => (rows + rowsPerItem - 1) / rowsPerItem;
}
