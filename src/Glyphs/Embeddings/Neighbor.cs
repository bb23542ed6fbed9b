namespace Serving.Glyphs.Embeddings;

/// <summary>A row near another.</summary>
/// <param name="Id">The row.</param>
/// <param name="Cosine">-1 to 1; 0 where one of the two is all zeros.</param>
public readonly record struct Neighbor(int Id, float Cosine);
