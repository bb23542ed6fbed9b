using System.Runtime.Intrinsics;

namespace Serving.Glyphs.Embeddings;

/// <summary>
/// Eigenvalues and eigenvectors of a real symmetric matrix: Householder tridiagonalisation and implicit QL, after
/// EISPACK's tred2 and tql2 (Bowdler, Martin, Reinsch and Wilkinson 1968), with the vectors kept as rows.
/// </summary>
/// <remarks>
/// The same bytes on every machine: only additions, multiplications, divisions and square roots, which IEEE 754 rounds
/// exactly, in an order fixed by eight lanes that every processor has or emulates; no fused multiply-add.
/// </remarks>
internal static class SymmetricEigen
{
    private const int MostSweeps = 60;
    private const int Lanes = 8;

    /// <summary>2⁻⁵².</summary>
    private const double RoundOff = 2.220446049250313e-16;

    /// <summary>Decomposes a matrix.</summary>
    /// <param name="matrix">[n][n], symmetric; overwritten with the eigenvectors, one a row, by falling eigenvalue.</param>
    /// <returns>The eigenvalues, falling.</returns>
    public static double[] Decompose(double[][] matrix)
    {
        int n = matrix.Length;
        var diagonal = new double[n];
        var offDiagonal = new double[n];
        Tridiagonalise(matrix, diagonal, offDiagonal);
        DiagonaliseByQL(matrix, diagonal, offDiagonal);
        Array.Sort(diagonal, matrix);
        Array.Reverse(diagonal);
        Array.Reverse(matrix);
        return diagonal;
    }

    /// <summary>A = Q T Qᵀ; leaves Qᵀ in <paramref name="a"/>, T in the two diagonals (off-diagonal from index 1).</summary>
    private static void Tridiagonalise(double[][] a, double[] diagonal, double[] offDiagonal)
    {
        int n = a.Length;
        var p = new double[n];
        for (int i = n - 1; i > 0; i--)
        {
            // Reflect row i's first i elements onto their last; the reflector u stays in the row, its u·u/2 in diagonal[i].
            Span<double> u = a[i].AsSpan(0, i);
            double tail = Dot(u[..^1], u[..^1]);
            diagonal[i] = 0;
            offDiagonal[i] = u[^1];
            if (tail == 0) continue;

            double g = u[^1] > 0 ? -Math.Sqrt(tail + u[^1] * u[^1]) : Math.Sqrt(tail + u[^1] * u[^1]);
            offDiagonal[i] = g;
            double h = tail + u[^1] * u[^1] - u[^1] * g;
            u[^1] -= g;
            diagonal[i] = h;
            ApplyReflectorToBothSides(a, u, h, p.AsSpan(0, i));
        }

        AccumulateReflectors(a, diagonal);
    }

    /// <summary>A := (1 - u uᵀ/h) A (1 - u uᵀ/h) on the leading block, of which only the lower triangle is kept.</summary>
    private static void ApplyReflectorToBothSides(double[][] a, ReadOnlySpan<double> u, double h, Span<double> p)
    {
        p.Clear();
        for (int j = 0; j < u.Length; j++)
        {
            ReadOnlySpan<double> row = a[j].AsSpan(0, j);
            p[j] += Dot(row, u[..j]) + a[j][j] * u[j];
            AddScaled(p[..j], row, u[j]);
        }

        for (int j = 0; j < p.Length; j++) p[j] /= h;
        AddScaled(p, u, -Dot(u, p) / (h + h));
        for (int j = 0; j < u.Length; j++)
        {
            Span<double> row = a[j].AsSpan(0, j + 1);
            AddScaled(row, p[..(j + 1)], -u[j]);
            AddScaled(row, u[..(j + 1)], -p[j]);
        }
    }

    /// <summary>Builds Qᵀ from the reflectors in the rows: Qᵀ := Qᵀ (1 - u uᵀ/h), block by growing block.</summary>
    private static void AccumulateReflectors(double[][] a, double[] diagonal)
    {
        var u = new double[a.Length];
        for (int i = 0; i < a.Length; i++)
        {
            double h = diagonal[i];
            Span<double> reflector = u.AsSpan(0, i);
            a[i].AsSpan(0, i).CopyTo(reflector);
            for (int j = 0; j < i && h != 0; j++)
            {
                Span<double> row = a[j].AsSpan(0, i);
                AddScaled(row, reflector, -Dot(row, reflector) / h);
            }

            diagonal[i] = a[i][i];
            a[i].AsSpan(0, i).Clear();
            a[i][i] = 1;
            for (int j = 0; j < i; j++) a[j][i] = 0;
        }
    }

    /// <summary>QL sweeps with implicit shifts on the two diagonals, each rotation applied to two rows of vectors.</summary>
    private static void DiagonaliseByQL(double[][] vectors, double[] d, double[] e)
    {
        int n = d.Length;
        e.AsSpan(1).CopyTo(e);
        e[n - 1] = 0;
        double shift = 0, largest = 0;
        for (int l = 0; l < n; l++)
        {
            largest = Math.Max(largest, Math.Abs(d[l]) + Math.Abs(e[l]));
            double negligible = largest * RoundOff;
            int m = l;
            while (Math.Abs(e[m]) > negligible) m++;
            for (int sweep = 0; m > l && Math.Abs(e[l]) > negligible; sweep++)
            {
                if (sweep == MostSweeps) throw new ArithmeticException($"Eigenvalue {l} of {n} did not converge.");
                shift += ShiftFrom(d, e, l);
                Sweep(vectors, d, e, l, m);
            }

            d[l] += shift;
            e[l] = 0;
        }
    }

    /// <summary>Chooses the shift from the leading 2 x 2 block and subtracts it from the diagonal's rest.</summary>
    private static double ShiftFrom(double[] d, double[] e, int l)
    {
        double g = d[l];
        double p = (d[l + 1] - g) / (2 * e[l]);
        double r = Math.Sqrt(p * p + 1);
        if (p < 0) r = -r;
        d[l] = e[l] / (p + r);
        d[l + 1] = e[l] * (p + r);
        double h = g - d[l];
        for (int i = l + 2; i < d.Length; i++) d[i] -= h;
        return h;
    }

    private static void Sweep(double[][] vectors, double[] d, double[] e, int l, int m)
    {
        double p = d[m], c = 1, c2 = 1, c3 = 1, s = 0, s2 = 0;
        double next = e[l + 1], nextDiagonal = d[l + 1];
        for (int i = m - 1; i >= l; i--)
        {
            (c3, c2, s2) = (c2, c, s);
            double g = c * e[i], h = c * p;
            double r = Math.Sqrt(p * p + e[i] * e[i]);
            e[i + 1] = s * r;
            s = e[i] / r;
            c = p / r;
            p = c * d[i] - s * g;
            d[i + 1] = h + s * (c * g + s * d[i]);
            Rotate(vectors[i], vectors[i + 1], c, s);
        }

        p = -s * s2 * c3 * next * e[l] / nextDiagonal;
        e[l] = s * p;
        d[l] = c * p;
    }

    /// <summary>(x, y) := (c x - s y, s x + c y).</summary>
    private static void Rotate(Span<double> x, Span<double> y, double c, double s)
    {
        int i = 0;
        for (; i <= x.Length - Lanes; i += Lanes)
        {
            Vector512<double> vx = Vector512.Create<double>(x[i..]), vy = Vector512.Create<double>(y[i..]);
            (vx * c - vy * s).CopyTo(x[i..]);
            (vx * s + vy * c).CopyTo(y[i..]);
        }

        for (; i < x.Length; i++) (x[i], y[i]) = (x[i] * c - y[i] * s, x[i] * s + y[i] * c);
    }

    /// <summary>y += scale * x.</summary>
    private static void AddScaled(Span<double> y, ReadOnlySpan<double> x, double scale)
    {
        int i = 0;
        for (; i <= x.Length - Lanes; i += Lanes)
            (Vector512.Create<double>(y[i..]) + Vector512.Create(x[i..]) * scale).CopyTo(y[i..]);
        for (; i < x.Length; i++) y[i] += x[i] * scale;
    }

    /// <summary>x · y, summed in eight lanes, then lane by lane, then the tail.</summary>
    private static double Dot(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        Vector512<double> lanes = default;
        int i = 0;
        for (; i <= x.Length - Lanes; i += Lanes) lanes += Vector512.Create(x[i..]) * Vector512.Create(y[i..]);
        double sum = 0;
        for (int lane = 0; lane < Lanes; lane++) sum += lanes[lane];
        for (; i < x.Length; i++) sum += x[i] * y[i];
        return sum;
    }
}
