using System.Runtime.CompilerServices;

namespace Serving.Inference.Cpu.Kernels;

/// <summary>
/// The heart of the matrix product: a few rows of activations times one panel of 64 outputs. Every sum is one chain of fused
/// multiply-adds over the inputs in order, continued from <c>sums</c>; how many rows share a pass over the weights changes
/// the speed and not one bit.
/// </summary>
internal static unsafe class Tile<T, TPanel>
    where T : unmanaged, ILanes<T>
    where TPanel : IPanel
{
    /// <summary>Outputs a panel.</summary>
    public const int Outputs = 4 * Lanes.Count;

    /// <summary>Rows that one pass over a panel serves.</summary>
    public static int Rows => T.HasManyRegisters ? 6 : 2;

    /// <summary>Continues the sums of some rows over some inputs.</summary>
    /// <param name="x">The rows, <paramref name="stride"/> values apart.</param>
    /// <param name="stride">Values from row to row.</param>
    /// <param name="rows">1 to <see cref="Rows"/>.</param>
    /// <param name="panel">The weights of the first input.</param>
    /// <param name="inputs">How many inputs.</param>
    /// <param name="sums">[<see cref="Rows"/>, 64]; the sums of rows past <paramref name="rows"/> are left undefined.</param>
    public static void MultiplyAdd(float* x, nint stride, int rows, byte* panel, int inputs, float* sums)
    {
        if (rows == 1)
        {
            One(x, panel, inputs, sums);
            return;
        }

        // A missing row is the last one again: its sums are computed for nothing, which costs less than one more kernel.
        float* x1 = x + (Math.Min(1, rows - 1) * stride);
        if (T.HasManyRegisters)
        {
            Six(x, x1, x + (Math.Min(2, rows - 1) * stride), x + (Math.Min(3, rows - 1) * stride),
                x + (Math.Min(4, rows - 1) * stride), x + (Math.Min(5, rows - 1) * stride), panel, inputs, sums);
        }
        else
        {
            TwoByHalf(x, x1, panel, inputs, sums);
            TwoByHalf(x, x1, panel + (TPanel.RowBytes / 2), inputs, sums + (Outputs / 2));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void One(float* x, byte* panel, int inputs, float* sums)
    {
        Quad row = Quad.Load(sums);
        for (nint i = 0; i < inputs; i++, panel += TPanel.RowBytes)
        {
            T a = TPanel.Load<T>(panel, 0), b = TPanel.Load<T>(panel, 1);
            T c = TPanel.Load<T>(panel, 2), d = TPanel.Load<T>(panel, 3);
            row = Quad.MultiplyAdd(x[i], a, b, c, d, row);
        }

        Quad.Store(row, sums);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Six(
        float* x0, float* x1, float* x2, float* x3, float* x4, float* x5, byte* panel, int inputs, float* sums)
    {
        Quad row0 = Quad.Load(sums), row1 = Quad.Load(sums + Outputs);
        Quad row2 = Quad.Load(sums + (2 * Outputs)), row3 = Quad.Load(sums + (3 * Outputs));
        Quad row4 = Quad.Load(sums + (4 * Outputs)), row5 = Quad.Load(sums + (5 * Outputs));
        for (nint i = 0; i < inputs; i++, panel += TPanel.RowBytes)
        {
            T a = TPanel.Load<T>(panel, 0), b = TPanel.Load<T>(panel, 1);
            T c = TPanel.Load<T>(panel, 2), d = TPanel.Load<T>(panel, 3);
            row0 = Quad.MultiplyAdd(x0[i], a, b, c, d, row0);
            row1 = Quad.MultiplyAdd(x1[i], a, b, c, d, row1);
            row2 = Quad.MultiplyAdd(x2[i], a, b, c, d, row2);
            row3 = Quad.MultiplyAdd(x3[i], a, b, c, d, row3);
            row4 = Quad.MultiplyAdd(x4[i], a, b, c, d, row4);
            row5 = Quad.MultiplyAdd(x5[i], a, b, c, d, row5);
        }

        Quad.Store(row0, sums);
        Quad.Store(row1, sums + Outputs);
        Quad.Store(row2, sums + (2 * Outputs));
        Quad.Store(row3, sums + (3 * Outputs));
        Quad.Store(row4, sums + (4 * Outputs));
        Quad.Store(row5, sums + (5 * Outputs));
    }

    // Two rows by 32 outputs: all that sixteen registers hold.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TwoByHalf(float* x0, float* x1, byte* panel, int inputs, float* sums)
    {
        T a0 = T.Load(sums), b0 = T.Load(sums + Lanes.Count);
        T a1 = T.Load(sums + Outputs), b1 = T.Load(sums + Outputs + Lanes.Count);
        for (nint i = 0; i < inputs; i++, panel += TPanel.RowBytes)
        {
            T a = TPanel.Load<T>(panel, 0), b = TPanel.Load<T>(panel, 1);
            T x = T.Broadcast(x0[i]);
            a0 = T.MultiplyAdd(x, a, a0);
            b0 = T.MultiplyAdd(x, b, b0);
            x = T.Broadcast(x1[i]);
            a1 = T.MultiplyAdd(x, a, a1);
            b1 = T.MultiplyAdd(x, b, b1);
        }

        T.Store(a0, sums);
        T.Store(b0, sums + Lanes.Count);
        T.Store(a1, sums + Outputs);
        T.Store(b1, sums + Outputs + Lanes.Count);
    }

    /// <summary>The sums of one row.</summary>
    private struct Quad
    {
        private T _a, _b, _c, _d;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Quad Load(float* sums) => new()
        {
            _a = T.Load(sums),
            _b = T.Load(sums + Lanes.Count),
            _c = T.Load(sums + (2 * Lanes.Count)),
            _d = T.Load(sums + (3 * Lanes.Count)),
        };

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Store(Quad row, float* sums)
        {
            T.Store(row._a, sums);
            T.Store(row._b, sums + Lanes.Count);
            T.Store(row._c, sums + (2 * Lanes.Count));
            T.Store(row._d, sums + (3 * Lanes.Count));
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Quad MultiplyAdd(float value, T a, T b, T c, T d, Quad row)
        {
            T x = T.Broadcast(value);
            return new()
            {
                _a = T.MultiplyAdd(x, a, row._a),
                _b = T.MultiplyAdd(x, b, row._b),
                _c = T.MultiplyAdd(x, c, row._c),
                _d = T.MultiplyAdd(x, d, row._d),
            };
        }
    }
}
