using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Unicode;

namespace Serving.Glyphs.Tokens;

/// <summary>
/// The 256 printable characters in which byte-level vocabularies spell bytes: bytes that print stand for themselves, the
/// others follow from U+0100 on, in order.
/// </summary>
/// <remarks>Source: <c>bytes_to_unicode</c> of OpenAI's GPT-2 encoder.</remarks>
internal static class ByteAlphabet
{
    private const char FirstSubstitute = '\u0100';
    private const string Escape = "\\x";

    private static readonly char[] Characters = MakeCharacters();
    private static readonly short[] Bytes = Invert(Characters);

    public static char Character(byte value) => Characters[value];

    /// <summary>Writes the bytes that a token of the vocabulary spells. A token with any other character, which only an added
    /// token can have, is its own UTF-8.</summary>
    public static void WriteBytes(string token, IBufferWriter<byte> output)
    {
        Span<byte> bytes = output.GetSpan(token.Length);
        for (int i = 0; i < token.Length; i++)
        {
            short value = token[i] < Bytes.Length ? Bytes[token[i]] : (short)-1;
            if (value < 0)
            {
                Encoding.UTF8.GetBytes(token, output);
                return;
            }

            bytes[i] = (byte)value;
        }

        output.Advance(token.Length);
    }

    /// <summary>What a token says: text, or its bytes in hex when they are not text (or would read as such an escape).</summary>
    public static string Show(string token)
    {
        ArrayBufferWriter<byte> bytes = new();
        WriteBytes(token, bytes);
        string text = Encoding.UTF8.GetString(bytes.WrittenSpan);
        if (Utf8.IsValid(bytes.WrittenSpan) && !text.StartsWith($"bytes:{Escape}", StringComparison.Ordinal)) return text;
        StringBuilder escaped = new("bytes:");
        foreach (byte value in bytes.WrittenSpan) escaped.Append(CultureInfo.InvariantCulture, $"{Escape}{value:x2}");
        return escaped.ToString();
    }

    private static char[] MakeCharacters()
    {
        var characters = new char[256];
        char substitute = FirstSubstitute;
        for (int value = 0; value < characters.Length; value++)
            characters[value] = Prints(value) ? (char)value : substitute++;
        return characters;
    }

    private static bool Prints(int value) => value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);

    private static short[] Invert(char[] characters)
    {
        var bytes = new short[characters.Max() + 1];
        Array.Fill(bytes, (short)-1);
        for (int value = 0; value < characters.Length; value++) bytes[characters[value]] = (short)value;
        return bytes;
    }
}
