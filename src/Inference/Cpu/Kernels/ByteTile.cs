using System.Runtime.CompilerServices;

namespace Serving.Inference.Cpu.Kernels;

/// <summary>
/// The product of <see cref="PanelInt8"/>: up to six rows of bytes times a slice of a panel of 64 outputs. The products of a group are
/// summed exactly, as whole numbers; the sums of the groups are scaled and added in order, to <c>sums</c>. How many rows share a
/// pass over the weights changes the speed and not one bit.
/// </summary>
internal static unsafe class ByteTile<TDot>
    where TDot : IByteDot
{
    private const int Outputs = KernelSet.PanelOutputs;
    private const int PairOutputs = 16;
    private const int PairBytes = PairOutputs * PanelInt8.QuadInputs;

    /// <summary>Continues the sums of some rows over the inputs of a slice.</summary>
    /// <param name="x">The rows, from the slice's first input.</param>
    /// <param name="rows">1 to <see cref="KernelSet.TileRows"/>.</param>
    /// <param name="slice">The weights, from the first input of a group.</param>
    /// <param name="sums">[rows, 64].</param>
    public static void MultiplyAdd(in ByteRows x, int rows, in PanelSlice slice, float* sums)
    {
        switch (rows)
        {
            case 1: One(x, slice, sums); break;
            case 2: Pass<TwoRows>(x, slice, sums); break;
            case 3: Pass<ThreeRows>(x, slice, sums); break;
            case 4: Pass<FourRows>(x, slice, sums); break;
            case 5: Pass<FiveRows>(x, slice, sums); break;
            default: Pass<SixRows>(x, slice, sums); break;
        }
    }

    // One row reads the weights as they lie: that is as fast as memory gives them.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void One(in ByteRows x, in PanelSlice slice, float* sums)
    {
        byte* panel = slice.Weights, scales = slice.Scales;
        sbyte* values = x.Values;
        ByteRows.Factor* factor = x.Factors;
        nint ahead = Prefetch.Distance(slice);
        for (int left = slice.Inputs; left > 0; left -= PanelInt8.GroupInputs, scales += PanelInt8.ScaleBytes, factor++)
        {
            BytePair<TDot> pair0 = BytePair<TDot>.Of(factor->Start), pair1 = pair0, pair2 = pair0, pair3 = pair0;
            for (int quad = Quads(left); quad > 0; quad--, values += PanelInt8.QuadInputs, panel += PanelInt8.QuadBytes)
            {
                Prefetch.Lines(panel + ahead, PanelInt8.QuadBytes);
                pair0 = pair0.Add(panel, values);
                pair1 = pair1.Add(panel + PairBytes, values);
                pair2 = pair2.Add(panel + (2 * PairBytes), values);
                pair3 = pair3.Add(panel + (3 * PairBytes), values);
            }

            pair0.AddTo(factor->Scale, scales, 0, sums);
            pair1.AddTo(factor->Scale, scales, 1, sums + PairOutputs);
            pair2.AddTo(factor->Scale, scales + (PanelInt8.ScaleBytes / 2), 0, sums + (2 * PairOutputs));
            pair3.AddTo(factor->Scale, scales + (PanelInt8.ScaleBytes / 2), 1, sums + (3 * PairOutputs));
        }
    }

    // 6 by 16 sums fill the registers.
    private static void Pass<TRows>(in ByteRows x, in PanelSlice slice, float* sums)
        where TRows : IRowCount
    {
        nint ahead = Prefetch.Distance(slice);
        for (int input = 0; input < slice.Inputs; input += PanelInt8.GroupInputs)
        {
            byte* panel = slice.Weights + ((nint)input * Outputs), scales = slice.Scales + (input / PanelInt8.GroupInputs * PanelInt8.ScaleBytes);
            ByteRows group = x.From(0, input);
            for (int pair = 0; pair < Outputs / PairOutputs; pair++)
            {
                byte* pairScales = scales + (pair / 2 * (PanelInt8.ScaleBytes / 2));
                Columns<TRows>(group, panel + (pair * PairBytes), Quads(slice.Inputs - input), ahead, pairScales, pair & 1, sums + (pair * PairOutputs));
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Columns<TRows>(in ByteRows x, byte* panel, int quads, nint ahead, byte* scales, int half, float* sums)
        where TRows : IRowCount
    {
        sbyte* x0 = x.Values, x1 = x0 + x.Stride, x2 = x1 + x.Stride, x3 = x2 + x.Stride, x4 = x3 + x.Stride, x5 = x4 + x.Stride;
        ByteRows.Factor* factor = x.Factors;
        nint next = x.FactorStride;
        BytePair<TDot> row0 = BytePair<TDot>.Of(factor->Start), row1 = default, row2 = default, row3 = default, row4 = default, row5 = default;
        if (TRows.Count > 1) row1 = BytePair<TDot>.Of(factor[next].Start);
        if (TRows.Count > 2) row2 = BytePair<TDot>.Of(factor[2 * next].Start);
        if (TRows.Count > 3) row3 = BytePair<TDot>.Of(factor[3 * next].Start);
        if (TRows.Count > 4) row4 = BytePair<TDot>.Of(factor[4 * next].Start);
        if (TRows.Count > 5) row5 = BytePair<TDot>.Of(factor[5 * next].Start);
        for (nint i = 0; i < quads * PanelInt8.QuadInputs; i += PanelInt8.QuadInputs, panel += PanelInt8.QuadBytes)
        {
            Prefetch.Lines(panel + ahead, PairBytes);
            row0 = row0.Add(panel, x0 + i);
            if (TRows.Count > 1) row1 = row1.Add(panel, x1 + i);
            if (TRows.Count > 2) row2 = row2.Add(panel, x2 + i);
            if (TRows.Count > 3) row3 = row3.Add(panel, x3 + i);
            if (TRows.Count > 4) row4 = row4.Add(panel, x4 + i);
            if (TRows.Count > 5) row5 = row5.Add(panel, x5 + i);
        }

        row0.AddTo(factor->Scale, scales, half, sums);
        if (TRows.Count > 1) row1.AddTo(factor[next].Scale, scales, half, sums + Outputs);
        if (TRows.Count > 2) row2.AddTo(factor[2 * next].Scale, scales, half, sums + (2 * Outputs));
        if (TRows.Count > 3) row3.AddTo(factor[3 * next].Scale, scales, half, sums + (3 * Outputs));
        if (TRows.Count > 4) row4.AddTo(factor[4 * next].Scale, scales, half, sums + (4 * Outputs));
        if (TRows.Count > 5) row5.AddTo(factor[5 * next].Scale, scales, half, sums + (5 * Outputs));
    }

    private static int Quads(int inputs) =>
        (Math.Min(inputs, PanelInt8.GroupInputs) + PanelInt8.QuadInputs - 1) / PanelInt8.QuadInputs;
}
