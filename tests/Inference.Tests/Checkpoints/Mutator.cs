using System.Text;
using System.Text.RegularExpressions;

namespace Serving.Inference.Tests.Checkpoints;

/// <summary>Damages bytes, the same way for the same seed.</summary>
internal sealed partial class Mutator(int seed)
{
    private static readonly string[] Hostile =
    [
        "-1", "0", "1", "4294967296", "9223372036854775807", "18446744073709551616", "1e999", "-0", "0.5", "1e3", "null", "true", "[]", "{}",
        "\"\"", "\"\\ud800\"", "\"../../etc/passwd\"", "\"a\\u0000b\"", "[[[[[[[[1]]]]]]]]", "[1,2,3,4,5,6,7,8,9]", "\"F32\"", "\"I8\"", "\"F4\"",
        "\"interleaved\"", "\"lm_head.weight\"", "[4194305,4194305,211106198978564]", "1000000000", "\"\u202e\"", "NaN", "\"0x10\"",
    ];

    private readonly Random _random = new(seed);

    /// <summary>A copy with one to three faults between two places.</summary>
    public byte[] Bytes(byte[] whole, int from = 0, int? to = null)
    {
        List<byte> bytes = [.. whole];
        for (int edits = _random.Next(1, 4); edits > 0; edits--)
        {
            int end = Math.Min(to ?? bytes.Count, bytes.Count - 1);
            if (end <= from)
                break;
            int at = _random.Next(from, end), count = Math.Min(_random.Next(1, 16), bytes.Count - at);
            switch (_random.Next(6))
            {
                case 0: bytes[at] ^= (byte)(1 << _random.Next(8)); break;
                case 1: bytes[at] = (byte)_random.Next(256); break;
                case 2: bytes.RemoveRange(at, count); break;
                case 3: bytes.InsertRange(at, bytes.GetRange(_random.Next(0, bytes.Count - count), count)); break;
                case 4: bytes.InsertRange(at, Enumerable.Repeat((byte)_random.Next(256), count)); break;
                default: bytes.RemoveRange(at, bytes.Count - at); break;
            }
        }

        return [.. bytes];
    }

    /// <summary>A copy of a JSON text that is mostly still JSON: values exchanged for others of all kinds, keys doubled or
    /// renamed, parts cut out; now and then damaged as bytes.</summary>
    public byte[] Json(byte[] whole)
    {
        if (_random.Next(4) == 0)
            return Bytes(whole);
        string text = Encoding.UTF8.GetString(whole);
        for (int edits = _random.Next(1, 4); edits > 0; edits--)
        {
            MatchCollection tokens = Token().Matches(text);
            if (tokens.Count == 0)
                break;
            Match token = tokens[_random.Next(tokens.Count)];
            string other = _random.Next(3) == 0 ? tokens[_random.Next(tokens.Count)].Value : Hostile[_random.Next(Hostile.Length)];
            text = _random.Next(8) switch
            {
                0 => text.Remove(token.Index, token.Length),
                1 => text.Insert(token.Index, other + ","),
                _ => string.Concat(text.AsSpan(0, token.Index), other, text.AsSpan(token.Index + token.Length)),
            };
        }

        return Encoding.UTF8.GetBytes(text);
    }

    public int Next(int limit) => _random.Next(limit);

    [GeneratedRegex("""\"(\\.|[^"\\])*"(\s*:)?|-?\d[\d.eE+-]*|true|false|null|\[[^\[\]{}]*\]""")]
    private static partial Regex Token();
}
