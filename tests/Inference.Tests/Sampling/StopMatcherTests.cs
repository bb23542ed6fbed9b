using System.Text;
using Serving.Inference.Sampling;

namespace Serving.Inference.Tests.Sampling;

public class StopMatcherTests
{
    public static TheoryData<string, string[]> Texts => new()
    {
        { "hello world", ["lo w"] },
        { "hello world", ["world"] },
        { "hello world", ["h"] },
        { "hello world", ["worlds", "hello there"] },
        { "aaaaab", ["aab"] },
        { "aabaaab", ["aaab", "abab"] },
        { "abcdef", ["abcdefg", "cd"] },
        { "xabcdy", ["abcd", "bcd", "cd"] },
        { "one\n\nUser: two", ["\nUser:", "\n\nUser:", "\n\n\n"] },
        { "ab", [] },
        { "😀😁😂", ["😁x", "😂"] },
    };

    [Theory]
    [MemberData(nameof(Texts))]
    public void Push_EverySplitInThree_SameTextAsInOnePiece(string text, string[] stops)
    {
        (string expected, bool matches) = Naive(text, stops);
        for (int i = 0; i <= text.Length; i++)
            for (int j = i; j <= text.Length; j++)
                Assert.Equal((expected, matches), Stream([text[..i], text[i..j], text[j..]], stops));
        Assert.Equal((expected, matches), Stream(text.Select(character => character.ToString()), stops));
    }

    [Fact]
    public void Push_RandomTextsOfFewLetters_NeverLeaksAndHoldsBackNoMoreThanNeeded()
    {
        Random random = new(3);
        for (int i = 0; i < 3000; i++)
        {
            string text = Letters(random, random.Next(1, 25));
            string[] stops = [.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => Letters(random, random.Next(1, 6)))];
            (string expected, bool matches) = Naive(text, stops);
            StopMatcher matcher = new(stops);
            StringBuilder passed = new();
            for (int from = 0; from < text.Length && !matcher.Matched;)
            {
                int to = Math.Min(text.Length, from + random.Next(0, 4));
                passed.Append(matcher.Push(text[from..to]));
                from = to;
                Assert.StartsWith(passed.ToString(), expected, StringComparison.Ordinal);
                if (!matcher.Matched) Assert.Equal(from - Hold(text[..from], stops), passed.Length);
            }
            Assert.Equal((expected, matches), (passed + matcher.Flush(), matcher.Matched));
        }
    }

    [Fact]
    public void Push_AfterAMatch_LetsNothingThrough()
    {
        StopMatcher matcher = new(["b"]);
        Assert.Equal("a", matcher.Push("abc"));
        Assert.Equal("", matcher.Push("d"));
        Assert.Equal("", matcher.Flush());
    }

    [Fact]
    public void Constructor_EmptyStop_Throws() => Assert.Throws<ArgumentException>(() => new StopMatcher([""]));

    private static (string Text, bool Matched) Stream(IEnumerable<string> pieces, string[] stops)
    {
        StopMatcher matcher = new(stops);
        string text = string.Concat(pieces.Select(matcher.Push).ToArray());
        return (text + matcher.Flush(), matcher.Matched);
    }

    /// <summary>The shortest beginning that ends with a stop text, without the longest one that it ends with.</summary>
    private static (string Text, bool Matched) Naive(string text, string[] stops)
    {
        for (int end = 1; end <= text.Length; end++)
        {
            string[] ending = [.. stops.Where(stop => text[..end].EndsWith(stop, StringComparison.Ordinal))];
            if (ending.Length > 0) return (text[..(end - ending.Max(stop => stop.Length))], true);
        }
        return (text, false);
    }

    private static int Hold(string text, string[] stops) => Enumerable.Range(0, text.Length + 1)
        .Last(length => length == 0 || stops.Any(stop => stop.StartsWith(text[^length..], StringComparison.Ordinal)));

    private static string Letters(Random random, int count) => string.Concat(Enumerable.Range(0, count).Select(_ => (char)('a' + random.Next(2))));
}
