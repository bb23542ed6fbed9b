using System.Runtime.Intrinsics;

namespace Serving.Inference.Cpu.Kernels;

/// <summary>Rows of activations as whole numbers from -127 to 127, with a scale for each group of
/// <see cref="PanelInt8.GroupInputs"/> inputs.</summary>
internal readonly unsafe struct ByteRows(sbyte* values, nint stride, ByteRows.Factor* factors)
{
    private const int GroupInputs = PanelInt8.GroupInputs;

    // What is smaller is nothing: its reciprocal would not be a number any more.
    private const float Smallest = 1e-30f;

    /// <summary>The first row, from the first input of a group.</summary>
    public sbyte* Values { get; } = values;

    /// <summary>Values from row to row, a multiple of <see cref="PanelInt8.GroupInputs"/>.</summary>
    public nint Stride { get; } = stride;

    /// <summary>Of the first row's first group.</summary>
    public Factor* Factors { get; } = factors;

    /// <summary>Factors from row to row.</summary>
    public nint FactorStride => Stride / GroupInputs;

    /// <summary>Later rows and inputs of the same.</summary>
    /// <param name="row">How many rows further.</param>
    /// <param name="input">How many inputs further, a multiple of <see cref="PanelInt8.GroupInputs"/>.</param>
    public ByteRows From(nint row, nint input) =>
        new(Values + (row * Stride) + input, Stride, Factors + (row * FactorStride) + (input / GroupInputs));

    /// <summary>Brings a row to whole numbers: those nearest to 127 times a value by the largest magnitude of its group, halves to
    /// even.</summary>
    /// <param name="row">Which.</param>
    /// <param name="x">[inputs].</param>
    /// <param name="inputs">How many; zeros fill the last group.</param>
    public void Quantize(nint row, float* x, int inputs)
    {
        sbyte* target = Values + (row * Stride);
        Factor* factor = Factors + (row * FactorStride);
        for (; inputs >= GroupInputs; inputs -= GroupInputs, x += GroupInputs, target += GroupInputs)
            *factor++ = QuantizeGroup(x, target);
        if (inputs == 0)
            return;
        float* rest = stackalloc float[GroupInputs];
        new Span<float>(rest, GroupInputs).Clear();
        new ReadOnlySpan<float>(x, inputs).CopyTo(new Span<float>(rest, inputs));
        *factor = QuantizeGroup(rest, target);
    }

    private static Factor QuantizeGroup(float* x, sbyte* target)
    {
        Vector256<float> magnitudes = Vector256<float>.Zero;
        for (int i = 0; i < GroupInputs; i += 8)
            magnitudes = Vector256.Max(magnitudes, Vector256.Abs(Vector256.Load(x + i)));
        float largest = 0;
        for (int i = 0; i < 8; i++)
            largest = MathF.Max(largest, magnitudes[i]);
        Vector256<float> inverse = Vector256.Create(largest < Smallest ? 0 : 127 / largest);
        Vector256<int> sum = Vector256<int>.Zero;
        for (int i = 0; i < GroupInputs; i += 32)
        {
            Vector256<int> a = Whole(x + i, inverse), b = Whole(x + i + 8, inverse);
            Vector256<int> c = Whole(x + i + 16, inverse), d = Whole(x + i + 24, inverse);
            sum += (a + b) + (c + d);
            Vector256.Narrow(Vector256.Narrow(a, b), Vector256.Narrow(c, d)).Store(target + i);
        }

        return new Factor(largest < Smallest ? 0 : largest / 127, -PanelInt8.Offset * Vector256.Sum(sum));
    }

    private static Vector256<int> Whole(float* x, Vector256<float> inverse) =>
        Vector256.ConvertToInt32(Vector256.Round(Vector256.Load(x) * inverse));

    /// <summary>What a group's sum of products begins with and is multiplied by.</summary>
    /// <param name="Scale">The value of 1.</param>
    /// <param name="Start">Minus what <see cref="PanelInt8.Offset"/> adds to the sum.</param>
    internal readonly record struct Factor(float Scale, int Start);
}
