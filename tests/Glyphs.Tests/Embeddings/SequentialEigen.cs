using Serving.Glyphs.Embeddings;

namespace Serving.Glyphs.Tests.Embeddings;

/// <summary>The twin of <see cref="SymmetricEigen"/>: EISPACK's tred2 and tql2 one step after the other, on one thread and in scalars.</summary>
internal static class SequentialEigen
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
    private static void Rotate(double[] x, double[] y, double c, double s)
    {
        for (int i = 0; i < x.Length; i++) (x[i], y[i]) = (x[i] * c - y[i] * s, x[i] * s + y[i] * c);
    }

    /// <summary>y += scale * x.</summary>
    private static void AddScaled(Span<double> y, ReadOnlySpan<double> x, double scale)
    {
        for (int i = 0; i < x.Length; i++) y[i] += x[i] * scale;
    }

    /// <summary>x · y, summed in eight lanes, then lane by lane, then the tail.</summary>
    private static double Dot(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        Span<double> lanes = stackalloc double[Lanes];
        lanes.Clear();
        int whole = x.Length / Lanes * Lanes;
        for (int i = 0; i < whole; i++) lanes[i % Lanes] += x[i] * y[i];
        double sum = 0;
        foreach (double lane in lanes) sum += lane;
        for (int i = whole; i < x.Length; i++) sum += x[i] * y[i];
        return sum;
    }
}
