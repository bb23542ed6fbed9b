using System.Runtime.CompilerServices;

namespace Serving.Inference.Cpu.Kernels;

/// <summary>
/// The heart of the matrix product: up to six rows of activations times a slice of a panel of 64 outputs. Every sum is one chain
/// of fused multiply-adds over the inputs in order, continued from <c>sums</c>; how many rows share a pass over the weights changes
/// the speed and not one bit.
/// </summary>
internal static unsafe class Tile<T, TPanel>
    where T : unmanaged, ILanes<T>
    where TPanel : IPanel
{
    private const int Outputs = KernelSet.PanelOutputs;

    /// <summary>Continues the sums of some rows over the inputs of a slice.</summary>
    /// <param name="x">The rows' values of the slice's first input, <paramref name="stride"/> values apart.</param>
    /// <param name="stride">Values from row to row.</param>
    /// <param name="rows">1 to <see cref="KernelSet.TileRows"/>.</param>
    /// <param name="slice">The weights.</param>
    /// <param name="sums">[rows, 64].</param>
    public static void MultiplyAdd(float* x, nint stride, int rows, in PanelSlice slice, float* sums)
    {
        switch (rows)
        {
            case 1: Wide<OneRow>(x, stride, slice, sums); break;
            case 2: Pass<TwoRows>(x, stride, slice, sums); break;
            case 3: Pass<ThreeRows>(x, stride, slice, sums); break;
            case 4: Pass<FourRows>(x, stride, slice, sums); break;
            case 5: Pass<FiveRows>(x, stride, slice, sums); break;
            default: Pass<SixRows>(x, stride, slice, sums); break;
        }
    }

    // 6 by 64 sums fill the 32 registers of AVX-512; 6 by 16 the registers of the others.
    private static void Pass<TRows>(float* x, nint stride, in PanelSlice slice, float* sums)
        where TRows : IRowCount
    {
        if (T.HasManyRegisters)
        {
            Wide<TRows>(x, stride, slice, sums);
            return;
        }

        for (int column = 0; column < Outputs / Lanes.Count; column++)
            Narrow<TRows>(x, stride, slice, column, sums + (column * Lanes.Count));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Wide<TRows>(float* x0, nint stride, in PanelSlice slice, float* sums)
        where TRows : IRowCount
    {
        float* x1 = x0 + stride, x2 = x1 + stride, x3 = x2 + stride, x4 = x3 + stride, x5 = x4 + stride;
        byte* panel = slice.Weights;
        nint inputs = slice.Inputs;
        byte* ahead = panel + Prefetch.Distance(slice);
        nint step = slice.HalfOfNext ? TPanel.RowBytes / 2 : TPanel.RowBytes;
        Quad<T> row0 = Quad<T>.Load(sums), row1 = default, row2 = default, row3 = default, row4 = default, row5 = default;
        if (TRows.Count > 1) row1 = Quad<T>.Load(sums + Outputs);
        if (TRows.Count > 2) row2 = Quad<T>.Load(sums + (2 * Outputs));
        if (TRows.Count > 3) row3 = Quad<T>.Load(sums + (3 * Outputs));
        if (TRows.Count > 4) row4 = Quad<T>.Load(sums + (4 * Outputs));
        if (TRows.Count > 5) row5 = Quad<T>.Load(sums + (5 * Outputs));
        for (nint i = 0; i < inputs; i++, panel += TPanel.RowBytes)
        {
            Prefetch.Lines(ahead, TPanel.RowBytes / 2);
            Prefetch.Lines(ahead + (step / 2), TPanel.RowBytes / 2);
            ahead += step;
            Quad<T> weights = Quad<T>.Load<TPanel>(panel);
            row0 = Quad<T>.MultiplyAdd(T.Broadcast(x0[i]), weights, row0);
            if (TRows.Count > 1) row1 = Quad<T>.MultiplyAdd(T.Broadcast(x1[i]), weights, row1);
            if (TRows.Count > 2) row2 = Quad<T>.MultiplyAdd(T.Broadcast(x2[i]), weights, row2);
            if (TRows.Count > 3) row3 = Quad<T>.MultiplyAdd(T.Broadcast(x3[i]), weights, row3);
            if (TRows.Count > 4) row4 = Quad<T>.MultiplyAdd(T.Broadcast(x4[i]), weights, row4);
            if (TRows.Count > 5) row5 = Quad<T>.MultiplyAdd(T.Broadcast(x5[i]), weights, row5);
        }

        Quad<T>.Store(row0, sums);
        if (TRows.Count > 1) Quad<T>.Store(row1, sums + Outputs);
        if (TRows.Count > 2) Quad<T>.Store(row2, sums + (2 * Outputs));
        if (TRows.Count > 3) Quad<T>.Store(row3, sums + (3 * Outputs));
        if (TRows.Count > 4) Quad<T>.Store(row4, sums + (4 * Outputs));
        if (TRows.Count > 5) Quad<T>.Store(row5, sums + (5 * Outputs));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Narrow<TRows>(float* x0, nint stride, in PanelSlice slice, int column, float* sums)
        where TRows : IRowCount
    {
        float* x1 = x0 + stride, x2 = x1 + stride, x3 = x2 + stride, x4 = x3 + stride, x5 = x4 + stride;
        byte* panel = slice.Weights;
        nint inputs = slice.Inputs;
        T row0 = T.Load(sums), row1 = default, row2 = default, row3 = default, row4 = default, row5 = default;
        if (TRows.Count > 1) row1 = T.Load(sums + Outputs);
        if (TRows.Count > 2) row2 = T.Load(sums + (2 * Outputs));
        if (TRows.Count > 3) row3 = T.Load(sums + (3 * Outputs));
        if (TRows.Count > 4) row4 = T.Load(sums + (4 * Outputs));
        if (TRows.Count > 5) row5 = T.Load(sums + (5 * Outputs));
        for (nint i = 0; i < inputs; i++, panel += TPanel.RowBytes)
        {
            T weights = TPanel.Load<T>(panel, column);
            row0 = T.MultiplyAdd(T.Broadcast(x0[i]), weights, row0);
            if (TRows.Count > 1) row1 = T.MultiplyAdd(T.Broadcast(x1[i]), weights, row1);
            if (TRows.Count > 2) row2 = T.MultiplyAdd(T.Broadcast(x2[i]), weights, row2);
            if (TRows.Count > 3) row3 = T.MultiplyAdd(T.Broadcast(x3[i]), weights, row3);
            if (TRows.Count > 4) row4 = T.MultiplyAdd(T.Broadcast(x4[i]), weights, row4);
            if (TRows.Count > 5) row5 = T.MultiplyAdd(T.Broadcast(x5[i]), weights, row5);
        }

        T.Store(row0, sums);
        if (TRows.Count > 1) T.Store(row1, sums + Outputs);
        if (TRows.Count > 2) T.Store(row2, sums + (2 * Outputs));
        if (TRows.Count > 3) T.Store(row3, sums + (3 * Outputs));
        if (TRows.Count > 4) T.Store(row4, sums + (4 * Outputs));
        if (TRows.Count > 5) T.Store(row5, sums + (5 * Outputs));
    }
}
