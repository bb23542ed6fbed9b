using System.ComponentModel;

namespace Serving.Server.Inspection;

/// <summary>The body of <c>POST /v1/models/{id}/embeddings/similarity</c>.</summary>
internal sealed record SimilarityRequest
{
    public const int MaxItems = 256;

    [Description("1 to 256 texts; each counts as the mean of its tokens' rows.")]
    public string[]? Texts { get; set; }

    [Description("1 to 256 token ids, instead of texts.")]
    public int[]? Tokens { get; set; }
}

/// <summary>Its answer.</summary>
internal sealed record Similarity(
    [property: Description("What was compared, in the order of the matrix.")] IReadOnlyList<string?> Items,
    [property: Description("[items][items] cosines; 0 where one is all zeros.")] IReadOnlyList<IReadOnlyList<double>> Matrix)
{
    [Description("Always similarity.")]
    public string Object { get; init; } = "similarity";

    /// <summary>Compares every vector with every other.</summary>
    public static Similarity Of(IReadOnlyList<string?> items, IReadOnlyList<double[]> vectors)
    {
        double[] norms = [.. vectors.Select(vector => Math.Sqrt(Dot(vector, vector)))];
        return new Similarity(items, [.. vectors.Select((a, i) => (IReadOnlyList<double>)[.. vectors.Select((b, j) =>
            norms[i] > 0 && norms[j] > 0 ? Math.Clamp(Dot(a, b) / (norms[i] * norms[j]), -1, 1) : 0)])]);
    }

    private static double Dot(double[] a, double[] b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++) sum += a[i] * b[i];
        return sum;
    }
}
