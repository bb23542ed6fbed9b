using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Serving.Inference.Cpu.Kernels;

/// <summary>The vector kernels, for one kind of machine. Pure functions on memory: thread-safe.</summary>
internal abstract unsafe class KernelSet
{
    /// <summary>Outputs of a panel of weights.</summary>
    public const int PanelOutputs = 4 * Lanes.Count;

    /// <summary>Rows that share a pass over a panel, at most.</summary>
    public const int TileRows = 6;

    /// <summary>All kernels that this machine has, slowest first.</summary>
    public static IReadOnlyList<KernelSet> Available { get; } = FindAvailable();

    /// <summary>The fastest kernels that this machine has.</summary>
    public static KernelSet Best => Available[^1];

    /// <summary>What the machine's instructions are called.</summary>
    public abstract string Name { get; }

    /// <summary>Continues the sums of up to <see cref="TileRows"/> rows over the inputs of a slice; see
    /// <see cref="Tile{T, TPanel}"/>.</summary>
    public abstract void MultiplyAdd(float* x, nint stride, int rows, in PanelSlice slice, float* sums);

    /// <summary>The same with rows and weights of bytes; see <see cref="ByteTile{TDot}"/>.</summary>
    public abstract void MultiplyAdd(in ByteRows x, int rows, in PanelSlice slice, float* sums);

    /// <summary>Brings 64 sums to their place.</summary>
    /// <param name="sums">[64].</param>
    /// <param name="target">Where they go.</param>
    /// <param name="count">How many of the 64; fewer than 64 with <see cref="Epilogue.Store"/> alone.</param>
    /// <param name="epilogue">What becomes of them.</param>
    public abstract void Finish(float* sums, float* target, int count, Epilogue epilogue);

    /// <summary>Normalises a row to mean 0 and variance 1, then weight and bias.</summary>
    /// <param name="x">[width]; readable up to the next multiple of 16.</param>
    /// <param name="weight">[width], zero up to the next multiple of 16.</param>
    /// <param name="bias">Likewise.</param>
    /// <param name="target">[width], written up to the next multiple of 16.</param>
    /// <param name="width">Values.</param>
    /// <param name="epsilon">Added to the variance.</param>
    public abstract void LayerNorm(float* x, float* weight, float* bias, float* target, int width, float epsilon);

    /// <summary>Normalises a row to root mean square 1, then weight.</summary>
    public abstract void RmsNorm(float* x, float* weight, float* target, int width, float epsilon);

    /// <summary>Turns each pair (i, i + size/2) of a head by its angles, then scales.</summary>
    /// <param name="head">[size].</param>
    /// <param name="cosines">[size], of the position.</param>
    /// <param name="sines">[size].</param>
    /// <param name="size">Even.</param>
    /// <param name="scale">Applied last.</param>
    public abstract void Rotate(float* head, float* cosines, float* sines, int size, float scale);

    /// <summary>Stores a token's key and value of one head.</summary>
    /// <param name="keys">The keys of the token's block; see <see cref="KvHead"/>.</param>
    /// <param name="values">The values of the block.</param>
    /// <param name="slot">The token's place in the block.</param>
    /// <param name="key">[head stride]; changed.</param>
    /// <param name="value">[head stride].</param>
    /// <param name="headStride">A multiple of 16.</param>
    public abstract void StoreKv(byte* keys, byte* values, int slot, float* key, float* value, int headStride);

    /// <summary>Attention of one query, or of a tile of neighbouring ones, over the first tokens of their sequence.</summary>
    public abstract void Attend(in AttentionTask task, ReadOnlySpan<int> blocks);

    /// <summary>Writes e to the power of each logit less the largest; see <see cref="Exponentials{T}.Write"/>.</summary>
    public abstract float Exponentials(float* logits, int count, float* target, out float max);

    /// <summary><c>target += factor values</c>, or <c>target = factor values</c>; see <see cref="Exponentials{T}.Scale"/>.</summary>
    public abstract void Scale(float* values, int count, float factor, float* target, bool adds);

    private static KernelSet[] FindAvailable()
    {
        var sets = new List<KernelSet> { new KernelSet<Lanes128, ByteDotPortable>("128-bit") };
        if (Avx2.IsSupported && Fma.IsSupported)
            sets.Add(new KernelSet<Lanes256, ByteDotAvx2>("AVX2"));
        if (AvxVnni.IsSupported && Fma.IsSupported)
            sets.Add(new KernelSet<Lanes256, ByteDotVnni>("AVX2, VNNI"));

        // Not accelerated = present, but so slow on this processor that the runtime advises against it.
        if (Avx512F.IsSupported && Vector512.IsHardwareAccelerated)
            sets.Add(AvxVnni.IsSupported ? new KernelSet<Lanes512, ByteDotVnni>("AVX-512, VNNI") : new KernelSet<Lanes512, ByteDotAvx2>("AVX-512"));
        return [.. sets];
    }
}
