namespace Serving.Client;

/// <summary>The table of vectors that a model reads.</summary>
/// <param name="Rows">Tokens.</param>
/// <param name="Dimensions">Length of a vector.</param>
/// <param name="Source"><c>glyph</c>, <c>binary</c>, <c>float</c> or <c>none</c>.</param>
/// <param name="Fingerprint">Of its content.</param>
/// <param name="UnitNorm">Whether all vectors have length 1.</param>
/// <param name="DuplicateRows">Rows that repeat an earlier one.</param>
/// <param name="SharedWith">Other models of the server that read the same memory.</param>
/// <param name="BytesSaved">What is not taken because it is shared.</param>
public sealed record TableDescription(
    int Rows, int Dimensions, string Source, string? Fingerprint, bool UnitNorm, int DuplicateRows, IReadOnlyList<string> SharedWith,
    long BytesSaved);

/// <summary>A token and what a model reads in its place.</summary>
/// <param name="Id">The token.</param>
/// <param name="Text">Its text.</param>
/// <param name="CodePoints">As <c>U+0416</c>.</param>
/// <param name="Names">Their Unicode names.</param>
/// <param name="Kind"><c>character</c>, <c>ngram</c>, <c>special</c>, <c>unused</c> or <c>byte</c>.</param>
/// <param name="Norm">The vector's length.</param>
/// <param name="Identical">Tokens with the same vector.</param>
/// <param name="Glyph">Its picture; null when asked without.</param>
/// <param name="Vector">When asked for.</param>
/// <param name="Neighbors">When asked for, best first.</param>
public sealed record TokenDescription(
    int Id, string? Text, IReadOnlyList<string> CodePoints, IReadOnlyList<string?> Names, string Kind, double Norm,
    IReadOnlyList<int> Identical, Glyph? Glyph = null, IReadOnlyList<float>? Vector = null, IReadOnlyList<Neighbor>? Neighbors = null);

/// <summary>A picture.</summary>
/// <param name="Width">Pixels.</param>
/// <param name="Height">Pixels.</param>
/// <param name="Rows"><c>#</c> is ink, <c>.</c> is none.</param>
public sealed record Glyph(int Width, int Height, IReadOnlyList<string> Rows);

/// <summary>A token near another.</summary>
/// <param name="Id">The token.</param>
/// <param name="Text">Its text.</param>
/// <param name="Cosine">Of the two vectors.</param>
public sealed record Neighbor(int Id, string? Text, float Cosine);

/// <summary>The picture that a vector holds.</summary>
/// <param name="Id">The token.</param>
/// <param name="Components">How many of the vector's first numbers were used.</param>
/// <param name="Dimensions">Length of the vector.</param>
/// <param name="Width">Pixels.</param>
/// <param name="Height">Pixels.</param>
/// <param name="Pixels">Row after row; 0 is paper, 1 is ink, and values may lie outside.</param>
/// <param name="WrongPixels">Pixels nearer to the wrong one of paper and ink.</param>
/// <param name="Errors">Mean squared error a pixel with the first 0, 1, 2, … numbers.</param>
public sealed record RebuiltGlyph(
    int Id, int Components, int Dimensions, int Width, int Height, IReadOnlyList<float> Pixels, int WrongPixels, IReadOnlyList<float> Errors);

/// <summary>Cosines of all pairs.</summary>
/// <param name="Matrix">[items][items].</param>
public sealed record Similarity(IReadOnlyList<IReadOnlyList<double>> Matrix);

internal sealed record SimilarityRequest(IReadOnlyList<string> Texts);

/// <summary>Tokens in a plane.</summary>
/// <param name="Points">One for each token.</param>
public sealed record TokenMap(IReadOnlyList<MapPoint> Points);

/// <summary>A token's place.</summary>
/// <param name="Id">The token.</param>
/// <param name="Text">Its text.</param>
/// <param name="X">First principal coordinate.</param>
/// <param name="Y">Second.</param>
public sealed record MapPoint(int Id, string? Text, float X, float Y);
