using System.Text;

namespace Serving.EndToEnd.Reliability;

/// <summary>JSON texts that a parser must take (yes), must refuse (no), or may do either with (maybe): our own set in the manner of the public
/// JSONTestSuite, whose folder test_parsing is added where <c>JSON_TEST_SUITE</c> names it.</summary>
internal static class JsonCases
{
    private static readonly string[] Taken =
    [
        "[]", "{}", " [ ] ", "\t\r\n{}\n", "[null]", "[true,false]", "\"\"", "\"a\"", "0", "-0", "123", "-1", "1.5", "1e5", "1E5", "1e+5", "1E-5", "0e1", "0.1e1",
        "-0.0", "123.456e78", "-123123123123123123123123123123", "0.00000000000000000000000000000000000000001", "[1,2,3]", "[[],[[]]]", "{\"a\":{\"b\":[]}}",
        "{\"\":0}", "{\"a\":\"b\",\"c\":\"d\"}", "{\"a\\u0000b\":1}", "\"\\u0000\"", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\u0041\\u00e9\\u4f60\"", "\"\\ud834\\udd1e\"",
        "\"\\uD83D\\uDE00\"", "\"é你😀\"", "\"\u007f\"", "\"\u2028\u2029\"", "\"\ufeff\"", "\"\\uFDD0\\uFFFE\\uFFFF\"", "\"\ufdd0\uffff\"", "\"\\u005C\\u0022\"", "\"a/*b*/c/*d//e\"",
        "\"\\\\u0000\"", "\"\\\\n\"", "\"new\\u00A0line\"", "[1 ]", "[ 1, 2 ]", "{\"a\" : 1 }", "[-0]", "[1e-2]", "[\" \"]", "[true]", "[false]", "{\"a\":[]}", "{\"min\":-1.0e+28,\"max\":1.0e+28}",
    ];

    private static readonly string[] Refused =
    [
        "", " ", "\0", "{", "}", "[", "]", "[[", "]]", "{]", "[}", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{\"a\":1,,\"b\":2}", "{,}", "{,\"a\":1}", "{\"a\",1}",
        "{\"a\" 1}", "{\"a\"::1}", "{\"a\":1:2}", "{\"a\":1 \"b\":2}", "{\"a\":1}}", "{\"a\":1}{}", "{\"a\":1}#", "{\"a\":1}//x", "{\"a\":1}/**/", "/**/{}", "{\"a\":/**/1}", "{a:1}", "{'a':1}",
        "{1:1}", "{null:1}", "{true:1}", "{[]:1}", "{\"a\":1;}", "{*}", "*", "{\"a\":}", "{:1}", "{:}", "[1,]", "[,1]", "[,]", "[1,,2]", "[1 2]", "[1:2]", "[1;2]", "[1]x", "[1]]", "[\"a\"", "[\"a", "[1",
        "[1,", "[*]", "[a]", "[\"a\",\n4\n,1,", "[\u000b]", "[\\f]", "[\u00a0]", "[\u2060]", "01", "-01", "+1", "++1", "--1", "- 1", "-", "-a", ".5", "-.5", "1.", "1.e1", "0.e1", "1e", "1e+", "1e-", "1eE2", "1e+-1",
        "0x1", "0x", "1_000", "1 000", "1a", "1.2.3", "1,5", "NaN", "-NaN", "nan", "Infinity", "-Infinity", "+Infinity", "inf", "１", "٣", "tru", "truth", "True", "TRUE", "fals", "False", "nul", "NULL", "None",
        "undefined", "true1", "nulltrue", "'a'", "`a`", "\"", "\"a", "\"\\\"", "\"\\", "\"\\x00\"", "\"\\a\"", "\"\\v\"", "\"\\'\"", "\"\\0\"", "\"\\u\"", "\"\\u1\"", "\"\\u12\"", "\"\\u123\"", "\"\\u12G4\"", "\"\\U0041\"",
        "\"\\ud83d\\u\"", "\"\\{\"", "\"\\é\"", "\"\n\"", "\"\r\"", "\"\t\"", "\"\0\"", "\"\u001f\"", "\"\b\"", "\"a\" \"b\"", "\"a\"b", "<x/>", "<![CDATA[]]>", "a=1&b=2", "--x\r\n", "abc", "å", "\u2060", "{\"a\":\"b\"}#{}", "\uff5b}",
        "{\"a\":NaN}", "{\"a\":01}", "{\"a\":tru}", "{\"a\":'b'}", "{\"a\":[1,]}", "{\"a\":{\"b\":}}", "{{}}", "{{\"a\":1}}", "[{]", "[}]", "{[}", "{[1]}", "{\"a\":1 2}", "{\"a\":\"b\" \"c\"}", "[\"a\":1]", "{\"a\":\\u0031}",
    ];

    private static readonly byte[][] RefusedBytes =
    [
        [0xff], [0xc3], [0xef, 0xbb], [.. "["u8, 0xff, .. "]"u8], [.. "[1"u8, 0xe5, .. "]"u8], [.. "{"u8, 0xe5, .. "\"a\":1}"u8], [.. "1"u8, 0xa0], [.. "\"\\"u8, 0xe5, .. "\""u8],
        Encoding.Unicode.GetPreamble(), [.. Encoding.Unicode.GetPreamble(), .. Encoding.Unicode.GetBytes("{}")], [.. Encoding.BigEndianUnicode.GetPreamble(), .. Encoding.BigEndianUnicode.GetBytes("{}")],
        Encoding.Unicode.GetBytes("{\"a\":1}"), Encoding.UTF32.GetBytes("{\"a\":1}"),
    ];

    // Bytes that are no UTF-8 in a string: refused by every field that is read; in one that is not, nobody looks.
    private static readonly byte[][] EitherBytes =
    [
        [.. "[\""u8, 0xff, .. "\"]"u8], [.. "\""u8, 0xc0, 0xaf, .. "\""u8], [.. "\""u8, 0xed, 0xa0, 0x80, .. "\""u8], [.. "\""u8, 0xe9, .. "\""u8],
        [.. "\""u8, 0xf4, 0xbf, 0xbf, 0xbf, .. "\""u8], [.. "\""u8, 0xfc, 0x80, 0x80, 0x80, 0x80, 0x80, .. "\""u8], [.. "{\"a"u8, 0x80, .. "\":1}"u8],
    ];

    // Depth beyond 32, keys that stand twice, halves of surrogate pairs, a byte order mark, numbers beyond double precision.
    private static readonly string[] Either =
    [
        "{\"a\":1,\"a\":1}", "{\"a\":1,\"a\":2}", "{\"a\":{\"b\":1,\"b\":1}}", "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\ud800\"", "\"\\udc00\\ud800\"", "\"\\ud83dx\"", "{\"\\ud800\":1}", "\ufeff{}", "\ufeff[]",
        "1e9999", "-1e9999", "1e-9999", "123123e100000", "0.4e006699999999999999999999", "-123123e100000", Nested('[', ']', 32), Nested('[', ']', 33), Nested('[', ']', 500), Nested('[', ']', 100_000), new('[', 100_000),
        string.Concat(Enumerable.Repeat("{\"a\":", 40)) + "1" + new string('}', 40), string.Concat(Enumerable.Repeat("[{\"\":", 10_000)), new string(' ', 100_000), new string('9', 10_000), "\"" + new string('a', 100_000) + "\"",
    ];

    /// <summary>Each text, and whether a parser must take it; null where it may do as it likes.</summary>
    public static IEnumerable<(byte[] Json, bool? IsValid)> All =>
    [
        .. Taken.Select(text => (Encoding.UTF8.GetBytes(text), (bool?)true)),
        .. Refused.Select(text => (Encoding.UTF8.GetBytes(text), (bool?)false)),
        .. RefusedBytes.Select(bytes => (bytes, (bool?)false)),
        .. EitherBytes.Select(bytes => (bytes, (bool?)null)),
        .. Either.Select(text => (Encoding.UTF8.GetBytes(text), (bool?)null)),
        .. Suite(),
    ];

    // Names begin with y_, n_ or i_. Ours are stricter in one thing: a key stands once.
    private static IEnumerable<(byte[] Json, bool? IsValid)> Suite()
    {
        string? folder = Environment.GetEnvironmentVariable("JSON_TEST_SUITE");
        foreach (string file in folder is null ? [] : Directory.GetFiles(folder, "*.json"))
        {
            string name = Path.GetFileName(file);
            bool? isValid = name.Contains("duplicated_key", StringComparison.Ordinal) ? null : name[0] switch { 'y' => true, 'n' => false, _ => null };
            yield return (File.ReadAllBytes(file), isValid);
        }
    }

    private static string Nested(char open, char close, int depth) => new string(open, depth) + new string(close, depth);
}
