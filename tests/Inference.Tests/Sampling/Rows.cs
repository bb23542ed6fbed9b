namespace Serving.Inference.Tests.Sampling;

/// <summary>Rows of logits.</summary>
internal static class Rows
{
    /// <summary>From about -12 to 12, mostly small.</summary>
    public static float[] Random(int length, int seed)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, length).Select(_ => (float)(Math.Pow((random.NextDouble() * 2) - 1, 3) * 12))];
    }

    /// <summary>With few different values, so many are equal.</summary>
    public static float[] Tied(int length, int seed)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, length).Select(_ => (float)random.Next(-3, 4))];
    }
}
