namespace Serving.Glyphs.Embeddings;

/// <summary>
/// Eigenvalues and eigenvectors of a real symmetric matrix: Householder tridiagonalisation and implicit QL, after
/// EISPACK's tred2 and tql2 (Bowdler, Martin, Reinsch and Wilkinson 1968), with the vectors kept as rows.
/// </summary>
/// <remarks>
/// The same bytes on every machine and for any number of threads: only additions, multiplications, divisions and square
/// roots, which IEEE 754 rounds exactly, in one order for each element; no fused multiply-add. In place: beside the matrix
/// there are a few rows, and some megabytes of rotations.
/// </remarks>
internal static class SymmetricEigen
{
    private const int MostSweeps = 60;

    /// <summary>2⁻⁵².</summary>
    private const double RoundOff = 2.220446049250313e-16;

    /// <summary>Decomposes a matrix.</summary>
    /// <param name="matrix">[n][n], symmetric, of which the lower triangle is read; overwritten with the eigenvectors, one a row,
    /// by falling eigenvalue.</param>
    /// <param name="step">Called 3 n times on the way.</param>
    /// <returns>The eigenvalues, falling.</returns>
    public static double[] Decompose(double[][] matrix, Action? step = null)
    {
        int n = matrix.Length;
        var diagonal = new double[n];
        var offDiagonal = new double[n];
        Householder.Tridiagonalise(matrix, diagonal, offDiagonal, step);
        Householder.Accumulate(matrix, diagonal, step);
        DiagonaliseByQL(matrix, diagonal, offDiagonal, step);
        Array.Sort(diagonal, matrix);
        Array.Reverse(diagonal);
        Array.Reverse(matrix);
        return diagonal;
    }

    /// <summary>QL sweeps with implicit shifts on the two diagonals; the vectors follow, many sweeps at once.</summary>
    private static void DiagonaliseByQL(double[][] vectors, double[] d, double[] e, Action? step)
    {
        int n = d.Length;
        var rotations = new RowRotations(vectors);
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
                Sweep(rotations, d, e, l, m);
            }

            d[l] += shift;
            e[l] = 0;
            step?.Invoke();
        }

        rotations.Apply();
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

    private static void Sweep(RowRotations rotations, double[] d, double[] e, int l, int m)
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
            rotations.Add(i, c, s);
        }

        p = -s * s2 * c3 * next * e[l] / nextDiagonal;
        e[l] = s * p;
        d[l] = c * p;
    }
}
