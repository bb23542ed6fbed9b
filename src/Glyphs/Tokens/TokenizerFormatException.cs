namespace Serving.Glyphs.Tokens;

/// <summary>A <c>tokenizer.json</c> that is missing, broken, or asks for something this tokenizer would get wrong.</summary>
public sealed class TokenizerFormatException : Exception
{
    internal TokenizerFormatException(string path, string where, string expected, string found, Exception? inner = null)
        : base($"{path}: {where}: expected {expected}, found {found}.", inner)
    {
        Path = path;
        Where = where;
        Expected = expected;
        Found = found;
    }

    /// <summary>The file, as it was given.</summary>
    public string Path { get; }

    /// <summary>The place in the file: a key such as <c>model.merges[17]</c>, a line, or a byte.</summary>
    public string Where { get; }

    /// <summary>What would have been accepted there.</summary>
    public string Expected { get; }

    /// <summary>What stands there.</summary>
    public string Found { get; }
}
