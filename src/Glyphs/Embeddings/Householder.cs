using static Serving.Glyphs.Embeddings.VectorMath;

namespace Serving.Glyphs.Embeddings;

/// <summary>Brings a symmetric matrix to three diagonals by reflections, and these into one orthonormal matrix; in place, on all
/// processors, each element by one chain of operations.</summary>
internal static class Householder
{
    /// <summary>Rows, or columns, that one thread does at once; a smaller matrix is not worth a second thread.</summary>
    private const int BlockRows = 64;
    private const int BlockColumns = 256;

    /// <summary>Rows of Qᵀ that are built together, 16 by each thread: half a megabyte of 4,096 columns stays near while reflectors
    /// pass by.</summary>
    private const int GroupRows = 64;
    private const int ThreadRows = 16;

    /// <summary>A = Q T Qᵀ: T goes to the two diagonals (off-diagonal from index 1).</summary>
    /// <param name="a">Its lower triangle. Left in row i: the reflector u of that row, its first i elements, and T's diagonal.</param>
    /// <param name="halves">[n] u · u / 2 of each reflector; 0 where there is none.</param>
    /// <param name="offDiagonal">[n]</param>
    /// <param name="step">Called n times.</param>
    public static void Tridiagonalise(double[][] a, double[] halves, double[] offDiagonal, Action? step)
    {
        var p = new double[a.Length];
        for (int i = a.Length - 1; i >= 0; i--, step?.Invoke())
        {
            if (i == 0) continue;
            // Reflect row i's first i elements onto their last.
            Span<double> u = a[i].AsSpan(0, i);
            double tail = Dot(u[..^1], u[..^1]);
            halves[i] = 0;
            offDiagonal[i] = u[^1];
            if (tail == 0) continue;

            double g = u[^1] > 0 ? -Math.Sqrt(tail + u[^1] * u[^1]) : Math.Sqrt(tail + u[^1] * u[^1]);
            offDiagonal[i] = g;
            double h = tail + u[^1] * u[^1] - u[^1] * g;
            u[^1] -= g;
            halves[i] = h;
            ApplyToBothSides(a, i, h, p);
        }
    }

    /// <summary>A := (1 - u uᵀ/h) A (1 - u uᵀ/h) on the leading block of n rows, u = a[n].</summary>
    private static void ApplyToBothSides(double[][] a, int n, double h, double[] p)
    {
        double[] u = a[n];
        Array.Clear(p);
        ForBlocks(n, BlockRows, (from, to) =>
        {
            for (int j = from; j < to; j++) p[j] += Dot(a[j].AsSpan(0, j), u.AsSpan(0, j)) + a[j][j] * u[j];
        });
        ForBlocks(n, BlockColumns, (from, to) =>
        {
            for (int j = from + 1; j < n; j++)
                AddScaled(p.AsSpan(from, Math.Min(j, to) - from), a[j].AsSpan(from, Math.Min(j, to) - from), u[j]);
        });
        for (int j = 0; j < n; j++) p[j] /= h;
        AddScaled(p.AsSpan(0, n), u.AsSpan(0, n), -Dot(u.AsSpan(0, n), p.AsSpan(0, n)) / (h + h));
        ForBlocks(n, BlockRows, (from, to) =>
        {
            for (int j = from; j < to; j++)
            {
                AddScaled(a[j].AsSpan(0, j + 1), p.AsSpan(0, j + 1), -u[j]);
                AddScaled(a[j].AsSpan(0, j + 1), u.AsSpan(0, j + 1), -p[j]);
            }
        });
    }

    /// <summary>Builds Qᵀ from the reflectors: row j is the unit vector j, reflected by all u of the rows below it.</summary>
    /// <param name="a">The reflectors; Qᵀ afterwards.</param>
    /// <param name="halves">Of each; T's diagonal afterwards.</param>
    /// <param name="step">Called n times.</param>
    public static void Accumulate(double[][] a, double[] halves, Action? step)
    {
        int n = a.Length;
        double[] h = [.. halves];
        double[][] kept = [.. Enumerable.Range(0, Math.Min(GroupRows, n)).Select(_ => new double[n])];
        for (int i = 0; i < n; i++) halves[i] = a[i][i];
        for (int start = 0; start < n; start += GroupRows)
        {
            // The group's rows are overwritten while its last reflectors are still needed.
            int first = start, end = Math.Min(start + GroupRows, n);
            for (int row = first; row < end; row++) a[row].CopyTo(kept[row - first], 0);
            double[][] reflectors = [.. kept[..(end - first)], .. a[end..]];
            ForBlocks(end - first, ThreadRows, (from, to) => Reflect(a, first + from, first + to, reflectors.AsSpan(from), h));
            for (int row = first; row < end; row++) step?.Invoke();
        }
    }

    // reflectors: those of row first, first + 1, …
    private static void Reflect(double[][] a, int first, int end, ReadOnlySpan<double[]> reflectors, double[] h)
    {
        for (int j = first; j < end; j++)
        {
            Array.Clear(a[j]);
            a[j][j] = 1;
        }

        for (int i = first + 1; i < a.Length; i++)
        {
            ReadOnlySpan<double> u = reflectors[i - first].AsSpan(0, i);
            for (int j = first; j < Math.Min(i, end) && h[i] != 0; j++)
                AddScaled(a[j].AsSpan(0, i), u, -Dot(a[j].AsSpan(0, i), u) / h[i]);
        }
    }

    private static void ForBlocks(int count, int block, Action<int, int> work)
    {
        if (count <= block)
            work(0, count);
        else
            Parallel.For(0, (count + block - 1) / block, i => work(i * block, Math.Min((i + 1) * block, count)));
    }
}
