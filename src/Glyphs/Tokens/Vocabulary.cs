namespace Serving.Glyphs.Tokens;

/// <summary>Token ids and their strings, one to one; ids may have holes. Read-only once it is loaded.</summary>
/// <remarks>Single characters, half of the glyph family's tokens, have a table of their own beside the dictionary.</remarks>
internal sealed class Vocabulary
{
    /// <summary>Far above any real vocabulary; keeps a broken file from asking for gigabytes.</summary>
    public const int HighestId = 10_000_000;

    private const int Absent = -1;

    private readonly int[] _characters = new int[char.MaxValue + 1];
    private readonly Dictionary<string, int> _strings = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _spans;
    private string?[] _texts;

    public Vocabulary(int capacity)
    {
        Array.Fill(_characters, Absent);
        _spans = _strings.GetAlternateLookup<ReadOnlySpan<char>>();
        _texts = new string?[capacity];
    }

    /// <summary>The highest id + 1.</summary>
    public int Size { get; private set; }

    /// <summary>The string of an id, or null where there is none.</summary>
    public string? Text(int id) => (uint)id < (uint)Size ? _texts[id] : null;

    /// <summary>The id of a string, or -1.</summary>
    public int Find(ReadOnlySpan<char> text) => text.Length == 1 ? Find(text[0])
        : _spans.TryGetValue(text, out int id) ? id : Absent;

    /// <summary>The id of a code point of the basic plane as a token of its own, or -1.</summary>
    public int Find(char character) => _characters[character];

    /// <summary>Adds a token whose id is free; false when its string is there already.</summary>
    public bool TryAdd(string text, int id)
    {
        if (Find(text) != Absent) return false;
        if (text.Length == 1) _characters[text[0]] = id;
        else _strings.Add(text, id);
        if (id >= _texts.Length) Array.Resize(ref _texts, Math.Max(id + 1, Math.Min(2 * _texts.Length, HighestId + 1)));
        _texts[id] = text;
        Size = Math.Max(Size, id + 1);
        return true;
    }
}
