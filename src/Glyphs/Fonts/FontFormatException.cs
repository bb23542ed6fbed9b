namespace Serving.Glyphs.Fonts;

/// <summary>A font file that cannot be read as one.</summary>
/// <param name="path">The file.</param>
/// <param name="line">The line, from 1.</param>
/// <param name="expected">What should stand there.</param>
/// <param name="found">What does.</param>
public sealed class FontFormatException(string path, int line, string expected, string found)
    : FormatException($"{path}, line {line}: expected {expected}, found {found}.")
{
    /// <summary>The file.</summary>
    public string Path { get; } = path;

    /// <summary>The line, from 1.</summary>
    public int Line { get; } = line;
}
