using System.Runtime.CompilerServices;

namespace Serving.Inference.Cpu.Kernels;

/// <summary>The kernels, written once for every width of register and every product of bytes.</summary>
internal sealed unsafe class KernelSet<T, TDot>(string name) : KernelSet
    where T : unmanaged, ILanes<T>
    where TDot : IByteDot
{
    public override string Name => name;

    public override void MultiplyAdd(float* x, nint stride, int rows, in PanelSlice slice, float* sums)
    {
        if (slice.Format == WeightFormat.BF16)
            Tile<T, PanelBf16>.MultiplyAdd(x, stride, rows, slice, sums);
        else
            Tile<T, PanelF32>.MultiplyAdd(x, stride, rows, slice, sums);
    }

    public override void MultiplyAdd(in ByteRows x, int rows, in PanelSlice slice, float* sums) =>
        ByteTile<TDot>.MultiplyAdd(x, rows, slice, sums);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Finish(float* sums, float* target, int count, Epilogue epilogue)
    {
        if (count < PanelOutputs)
        {
            new ReadOnlySpan<float>(sums, count).CopyTo(new Span<float>(target, count));
            return;
        }

        for (int i = 0; i < PanelOutputs; i += Lanes.Count)
        {
            T value = T.Load(sums + i);
            value = epilogue switch
            {
                Epilogue.Add => value + T.Load(target + i),
                Epilogue.Gelu => Elementary.Gelu(value),
                Epilogue.GeluTanh => Elementary.GeluTanh(value),
                Epilogue.Silu => Elementary.Silu(value),
                Epilogue.Relu => T.Max(value, T.Zero),
                _ => value,
            };
            T.Store(value, target + i);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void LayerNorm(float* x, float* weight, float* bias, float* target, int width, float epsilon)
    {
        T sum = T.Zero;
        for (int i = 0; i < width; i += Lanes.Count)
            sum += T.KeepFirst(T.Load(x + i), width - i, 0);
        T mean = T.Broadcast(T.Sum(sum) / width);
        T squares = T.Zero;
        for (int i = 0; i < width; i += Lanes.Count)
        {
            T difference = T.KeepFirst(T.Load(x + i) - mean, width - i, 0);
            squares = T.MultiplyAdd(difference, difference, squares);
        }

        T inverse = T.Broadcast(1 / MathF.Sqrt((T.Sum(squares) / width) + epsilon));
        for (int i = 0; i < width; i += Lanes.Count)
            T.Store(T.MultiplyAdd((T.Load(x + i) - mean) * inverse, T.Load(weight + i), T.Load(bias + i)), target + i);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void RmsNorm(float* x, float* weight, float* target, int width, float epsilon)
    {
        T squares = T.Zero;
        for (int i = 0; i < width; i += Lanes.Count)
        {
            T value = T.KeepFirst(T.Load(x + i), width - i, 0);
            squares = T.MultiplyAdd(value, value, squares);
        }

        T inverse = T.Broadcast(1 / MathF.Sqrt((T.Sum(squares) / width) + epsilon));
        for (int i = 0; i < width; i += Lanes.Count)
            T.Store(T.Load(x + i) * inverse * T.Load(weight + i), target + i);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Rotate(float* head, float* cosines, float* sines, int size, float scale)
    {
        int half = size / 2, i = 0;
        for (; i + Lanes.Count <= half; i += Lanes.Count)
        {
            T a = T.Load(head + i), b = T.Load(head + half + i), factor = T.Broadcast(scale);
            T.Store(((a * T.Load(cosines + i)) - (b * T.Load(sines + i))) * factor, head + i);
            T.Store(((b * T.Load(cosines + half + i)) + (a * T.Load(sines + half + i))) * factor, head + half + i);
        }

        for (; i < half; i++)
        {
            float a = head[i], b = head[half + i];
            head[i] = ((a * cosines[i]) - (b * sines[i])) * scale;
            head[half + i] = ((b * cosines[half + i]) + (a * sines[half + i])) * scale;
        }
    }

    public override float Exponentials(float* logits, int count, float* target, out float max) =>
        Exponentials<T>.Write(logits, count, target, out max);

    public override void Scale(float* values, int count, float factor, float* target, bool adds) =>
        Exponentials<T>.Scale(values, count, factor, target, adds);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void StoreKv(byte* keys, byte* values, int slot, float* key, float* value, int headStride)
    {
        KvHead.StoreKey<T>(keys, slot, key, headStride);
        KvHead.StoreValue<T>(values, slot, value, headStride);
    }

    public override void Attend(in AttentionTask task, ReadOnlySpan<int> blocks) => Attention<T>.Attend(task, blocks);
}
