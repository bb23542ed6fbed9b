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
    private const int DefaultSequences = 8;
    private const int RowsPerItem = 4;
    private const int QueriesPerItem = 8;
    private const int SmallRows = 8;

    private readonly CpuModel _weights;
    private readonly PackedModel _model;
    private readonly KernelSet _kernels;
    private readonly WorkerPool _pool;
    private readonly KvStore _kv;
    private readonly Workspace _work;
    private readonly MatrixProduct _product;
    private readonly Action<int, int> _normRows;
    private readonly Action<int, int> _placeRows;
    private readonly Action<int, int> _attend;

    private ForwardBatch _batch = null!;
    private PackedNorm? _norm;
    private int _layer;
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
        int blocks = options.KvBlocks > 0 ? options.KvBlocks : DefaultSequences * BlocksFor(_model.ContextTokens);
        _kv = new KvStore(_model.Blocks.Length, blocks, _model.Heads, _model.HeadStride);
        _work = new Workspace(_model, _pool.Threads);
        _product = new MatrixProduct(_kernels, _pool);
        (_normRows, _placeRows, _attend) = (NormRows, PlaceRows, Attend);
        Shape = new ModelShape(_model.VocabularySize, _model.ContextTokens);
        Kv = new KvCapacity(blocks, KvStore.BlockTokens);
    }

    /// <inheritdoc/>
    public ModelShape Shape { get; }

    /// <inheritdoc/>
    public KvCapacity Kv { get; }

    /// <summary>The instructions that this machine's backends use: "AVX-512", "AVX2" or "128-bit".</summary>
    public static string Instructions => KernelSet.Best.Name;

    /// <summary>K/V bytes that one block of 16 tokens takes.</summary>
    public static long BytesPerKvBlock(TransformerWeights weights)
    {
        ArgumentNullException.ThrowIfNull(weights);
        return 2L * weights.Blocks.Count * weights.Heads * Lanes.RoundUp(weights.HeadSize) * KvStore.BlockTokens * sizeof(float);
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">A token, position, block or the size of <paramref name="logits"/> is out of range;
    /// nothing has been computed then.</exception>
    public void Forward(ForwardBatch batch, Span<float> logits)
    {
        Check(batch, logits);
        int rows = batch.Tokens.Length;
        if (rows == 0)
            return;
        lock (_pool.Gate)
        {
            _work.Ensure(rows);
            for (_layer = Begin(batch); _layer < _model.Blocks.Length; _layer++)
                RunBlock(_model.Blocks[_layer], rows);
            WriteLogits(batch, logits, _model.FinalNorm, _model.Head);
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

    private void RunBlock(PackedModel.Block block, int rows)
    {
        (int stride, int queryStride, int hiddenStride) = (_work.Stride, _work.QueryKeyValueStride, _work.HiddenStride);
        Norm(block.AttentionNorm, rows);
        _product.Run(_work.Normed, stride, rows, block.QueryKeyValue, _work.QueryKeyValue, queryStride, Epilogue.Store);
        _pool.Run(Items(rows, RowsPerItem), _placeRows, alone: rows < SmallRows);
        _pool.Run(Items(rows, QueriesPerItem) * _model.Heads, _attend, alone: IsSmallAttention(rows));
        _product.Run(_work.Attended, stride, rows, block.Output, _work.Residual, stride, Epilogue.Add);
        Norm(block.MlpNorm, rows);
        _product.Run(_work.Normed, stride, rows, block.Up, _work.Hidden, hiddenStride, Epilogue.Gelu);
        _product.Run(_work.Hidden, hiddenStride, rows, block.Down, _work.Residual, stride, Epilogue.Add);
    }

    private void Embed(ForwardBatch batch)
    {
        Place(batch);
        int repeat = _model.Width / _model.Table.Dimensions;
        for (int row = 0; row < batch.Tokens.Length; row++)
            Repeat(_model.Table.Row(batch.Tokens[row]), repeat, new Span<float>(_work.Residual + ((long)row * _work.Stride), _work.Stride));
    }

    // Which chunk each row belongs to, and where it stands in its sequence.
    private void Place(ForwardBatch batch)
    {
        ReadOnlySpan<ForwardBatch.Chunk> chunks = batch.Chunks;
        for (int index = 0; index < chunks.Length; index++)
        {
            for (int i = 0; i < chunks[index].Length; i++)
                (_work.ChunkOf[chunks[index].Start + i], _work.Positions[chunks[index].Start + i]) = (index, chunks[index].Position + i);
        }
    }

    // Each value of a narrow vector fills a run of the wide one; what is past the width stays zero for ever.
    private static void Repeat(ReadOnlySpan<float> vector, int times, Span<float> target)
    {
        if (times == 1)
            vector.CopyTo(target);
        else
        {
            for (int i = 0; i < vector.Length; i++)
                target.Slice(i * times, times).Fill(vector[i]);
        }

        target[(vector.Length * times)..].Clear();
    }

    private void Norm(PackedNorm norm, int rows)
    {
        _norm = norm;
        _pool.Run(Items(rows, RowsPerItem), _normRows, alone: rows < SmallRows);
    }

    private void NormRows(int item, int worker)
    {
        for (int row = item * RowsPerItem, end = Math.Min(row + RowsPerItem, _batch.Tokens.Length); row < end; row++)
            _norm!.Apply(_kernels, _work.Residual + ((long)row * _work.Stride), _work.Normed + ((long)row * _work.Stride));
    }

    // Turns queries and keys by their positions and stores keys and values.
    private void PlaceRows(int item, int worker)
    {
        for (int row = item * RowsPerItem, end = Math.Min(row + RowsPerItem, _batch.Tokens.Length); row < end; row++)
        {
            int position = _work.Positions[row], headsStride = _model.Heads * _model.HeadStride;
            int block = BlocksOf(row)[position / KvStore.BlockTokens], slot = position % KvStore.BlockTokens;
            float* cosines = _model.Rotary.Cosines(position), sines = _model.Rotary.Sines(position);
            float* query = _work.QueryKeyValue + ((long)row * _work.QueryKeyValueStride);
            float scale = 1 / MathF.Sqrt(_model.HeadSize);
            for (int head = 0; head < _model.Heads; head++, query += _model.HeadStride)
            {
                float* key = query + headsStride;
                _kernels.Rotate(query, cosines, sines, _model.HeadSize, scale);
                _kernels.Rotate(key, cosines, sines, _model.HeadSize, 1);
                _kv.Write(_layer, head, block, slot, key, key + headsStride);
            }
        }
    }

    // One head of neighbouring rows, which in a prefill share keys and values.
    private void Attend(int item, int worker)
    {
        (int rows, int head) = Math.DivRem(item, _model.Heads);
        float* output = stackalloc float[_model.HeadStride];
        var task = new AttentionTask
        {
            Keys = _kv.Keys(_layer, head),
            Values = _kv.Values(_layer, head),
            BlockStride = _kv.BlockStride,
            ValueStride = _model.HeadStride,
            HeadSize = _model.HeadSize,
            Scores = _work.Scores(worker),
            Output = output,
        };
        for (int row = rows * QueriesPerItem, end = Math.Min(row + QueriesPerItem, _batch.Tokens.Length); row < end; row++)
        {
            task.Query = _work.QueryKeyValue + ((long)row * _work.QueryKeyValueStride) + (head * _model.HeadStride);
            task.Tokens = _work.Positions[row] + 1;
            _kernels.Attend(task, BlocksOf(row));
            float* target = _work.Attended + ((long)row * _work.Stride) + (head * _model.HeadSize);
            new ReadOnlySpan<float>(output, _model.HeadSize).CopyTo(new Span<float>(target, _model.HeadSize));
        }
    }

    private void WriteLogits(ForwardBatch batch, Span<float> logits, PackedNorm? finalNorm, PackedMatrix head)
    {
        if (batch.LogitRows == 0)
            return;
        int target = 0;
        foreach (ref readonly ForwardBatch.Chunk chunk in batch.Chunks)
        {
            for (int row = chunk.Start + chunk.Length - chunk.LogitRows; row < chunk.Start + chunk.Length; row++, target++)
            {
                float* from = _work.Residual + ((long)row * _work.Stride), to = _work.Normed + ((long)target * _work.Stride);
                if (finalNorm is { } norm)
                    norm.Apply(_kernels, from, to);
                else
                    new ReadOnlySpan<float>(from, _model.Width).CopyTo(new Span<float>(to, _model.Width));
            }
        }

        fixed (float* y = logits)
            _product.Run(_work.Normed, _work.Stride, batch.LogitRows, head, y, _model.VocabularySize, Epilogue.Store);
    }

    private void Check(ForwardBatch batch, Span<float> logits)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentNullException.ThrowIfNull(batch);
        if (logits.Length < (long)batch.LogitRows * Shape.VocabularySize)
        {
            throw new ArgumentException(
                $"Room for {batch.LogitRows} rows of {Shape.VocabularySize} logits is needed, {logits.Length} values are given.",
                nameof(logits));
        }

        foreach (int token in batch.Tokens)
        {
            if ((uint)token >= (uint)Shape.VocabularySize)
                throw new ArgumentOutOfRangeException(nameof(batch), token, $"A token is from 0 to {Shape.VocabularySize - 1}.");
        }

        foreach (ref readonly ForwardBatch.Chunk chunk in batch.Chunks)
            Check(chunk);
    }

    private void Check(in ForwardBatch.Chunk chunk)
    {
        long end = (long)chunk.Position + chunk.Length;
        if (end > Shape.ContextTokens)
            throw new ArgumentException($"A chunk ends at position {end}; the context has {Shape.ContextTokens}.", nameof(chunk));
        if (chunk.Blocks.Count < BlocksFor(end))
        {
            throw new ArgumentException(
                $"{BlocksFor(end)} blocks are needed for {end} positions, {chunk.Blocks.Count} are given.", nameof(chunk));
        }

        foreach (int block in CollectionsMarshal.AsSpan(chunk.Blocks))
        {
            if ((uint)block >= (uint)_kv.Blocks)
                throw new ArgumentException($"Block {block} does not exist; there are {_kv.Blocks}.", nameof(chunk));
        }
    }

    private ReadOnlySpan<int> BlocksOf(int row) => CollectionsMarshal.AsSpan(_batch.Chunks[_work.ChunkOf[row]].Blocks);

    private bool IsSmallAttention(int rows)
    {
        long tokens = 0;
        for (int row = 0; row < rows; row++)
            tokens += _work.Positions[row] + 1;
        return tokens * _model.Width < 1 << 17;
    }

    private static int Items(int rows, int rowsPerItem) => (rows + rowsPerItem - 1) / rowsPerItem;

    private static int BlocksFor(long tokens) => (int)((tokens + KvStore.BlockTokens - 1) / KvStore.BlockTokens);
}
