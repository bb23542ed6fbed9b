namespace Serving.Glyphs.Unicode;

/// <summary>Code points that share a name or the beginning of one.</summary>
/// <param name="First">The first.</param>
/// <param name="Last">The last, included.</param>
/// <param name="Name">The name, or the prefix of the names.</param>
public sealed record CodePointRange(int First, int Last, string Name);
