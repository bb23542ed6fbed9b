using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Serving.Glyphs.Tokens;

/// <summary>Reads the <c>model.merges</c> of a tokenizer file: <c>["a", "b"]</c>, or the older <c>"a b"</c>.</summary>
/// <remarks>There are hundreds of thousands, so no string is made of one: both tokens are put side by side in a buffer, where
/// the token that they make can be read as well.</remarks>
internal sealed class MergesReader(JsonPlace merges, Vocabulary vocabulary)
{
    private char[] _joined = new char[256];

    public Merge[] Read()
    {
        merges.Require(JsonValueKind.Array, "an array of merges");
        List<Merge> read = new(merges.Value.GetArrayLength());
        int index = 0;
        foreach (JsonElement item in merges.Value.EnumerateArray())
        {
            if (!IsVersionLine(item)) read.Add(ReadOne(index, item));
            index++;
        }

        return [.. read];
    }

    /// <summary>Lists that were copied from a merges.txt keep its first line.</summary>
    private static bool IsVersionLine(JsonElement item) =>
        item.ValueKind == JsonValueKind.String && item.ValueEquals("#version: 0.2");

    private Merge ReadOne(int index, JsonElement item)
    {
        (int left, int length) = item.ValueKind == JsonValueKind.Array ? JoinArray(index, item) : JoinString(index, item);
        if (left == 0 || left == length) throw merges.At(index).Refuse("two tokens that are not empty");
        ReadOnlySpan<char> joined = _joined.AsSpan(0, length);
        return new(Known(index, joined[..left]), Known(index, joined[left..]), Known(index, joined));
    }

    private (int Left, int Length) JoinArray(int index, JsonElement item)
    {
        if (item.GetArrayLength() != 2) throw merges.At(index).Refuse("two tokens");
        int left = Append(0, index, item[0]);
        return (left, Append(left, index, item[1]));
    }

    private (int Left, int Length) JoinString(int index, JsonElement item)
    {
        int length = Append(0, index, item);
        Span<char> text = _joined.AsSpan(0, length);
        int space = text.IndexOf(' ');
        if (space < 0 || text[(space + 1)..].Contains(' '))
            throw merges.At(index).Refuse("two tokens with one space between them");
        text[(space + 1)..].CopyTo(text[space..]);
        return (space, length - 1);
    }

    /// <summary>Writes a JSON string into the buffer.</summary>
    /// <returns>Where it ends.</returns>
    private int Append(int at, int index, JsonElement text)
    {
        if (text.ValueKind != JsonValueKind.String) throw merges.At(index).Refuse("tokens as strings");
        ReadOnlySpan<byte> raw = JsonMarshal.GetRawUtf8Value(text)[1..^1];
        if (_joined.Length < at + raw.Length) Array.Resize(ref _joined, 2 * (at + raw.Length));
        if (!raw.Contains((byte)'\\')) return at + Encoding.UTF8.GetChars(raw, _joined.AsSpan(at));
        string unescaped = (merges with { Value = text }).Text();
        unescaped.CopyTo(_joined.AsSpan(at));
        return at + unescaped.Length;
    }

    private int Known(int index, ReadOnlySpan<char> token)
    {
        int id = vocabulary.Find(token);
        return id >= 0 ? id : throw merges.At(index).Refuse("tokens of the vocabulary", $"'{token}', which is not in it");
    }
}
