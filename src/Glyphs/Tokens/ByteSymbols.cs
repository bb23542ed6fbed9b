using System.Text;

namespace Serving.Glyphs.Tokens;

/// <summary>From the UTF-8 bytes of text to the ids that merging starts with. Immutable.</summary>
/// <remarks>A surrogate without its partner becomes the bytes of U+FFFD.</remarks>
internal sealed class ByteSymbols
{
    /// <summary>The most bytes that one UTF-16 unit becomes.</summary>
    public const int MaxBytesPerChar = 3;

    private const int Absent = -1;

    private readonly int[] _ids = new int[256];
    private readonly int _unknownId;
    private readonly bool _fuseUnknown;

    public ByteSymbols(BytePairModel model)
    {
        _unknownId = model.UnknownId ?? Absent;
        _fuseUnknown = model.FuseUnknown;
        for (int value = 0; value < _ids.Length; value++)
            _ids[value] = model.Vocabulary.Find(ByteAlphabet.Character((byte)value));
    }

    /// <summary>Writes the ids of a text's bytes.</summary>
    /// <param name="text">UTF-16.</param>
    /// <param name="symbols">At least <see cref="MaxBytesPerChar"/> times as long as the text.</param>
    /// <returns>How many ids were written.</returns>
    public int Read(ReadOnlySpan<char> text, Span<int> symbols)
    {
        int count = 0;
        bool afterUnknown = false;
        Span<byte> utf8 = stackalloc byte[4];
        while (text.Length > 0)
        {
            Rune.DecodeFromUtf16(text, out Rune codePoint, out int length);
            text = text[length..];
            foreach (byte value in utf8[..codePoint.EncodeToUtf8(utf8)])
            {
                int id = _ids[value];
                if (id >= 0) symbols[count++] = id;
                else if (_unknownId >= 0 && !(afterUnknown && _fuseUnknown)) symbols[count++] = _unknownId;
                afterUnknown = id < 0;
            }
        }

        return count;
    }
}
