using System.Globalization;

namespace Serving.Server.Chat.Jinja;

/// <summary>What values of templates are as text, in a condition, in a loop and in a comparison.</summary>
internal static class JinjaValue
{
    public static string ToText(object? value) => value switch
    {
        null => "None",
        string text => text,
        bool flag => flag ? "True" : "False",
        long number => number.ToString(CultureInfo.InvariantCulture),
        double number => number.ToString(double.IsInteger(number) ? "0.0" : null, CultureInfo.InvariantCulture),
        JinjaScope.Undefined => "",
        _ => JinjaJson.Write(value, indent: null),
    };

    public static bool IsTrue(object? value) => value switch
    {
        null or JinjaScope.Undefined => false,
        bool flag => flag,
        string text => text.Length > 0,
        long number => number != 0,
        double number => number != 0,
        List<object?> list => list.Count > 0,
        Dictionary<string, object?> dictionary => dictionary.Count > 0,
        _ => true,
    };

    /// <summary>What a loop runs over.</summary>
    public static List<object?> Items(object? value) => value switch
    {
        List<object?> list => list,
        Dictionary<string, object?> dictionary => [.. dictionary.Keys],
        string text => [.. text.EnumerateRunes().Select(rune => rune.ToString())],
        JinjaScope.Undefined => [],
        _ => throw new JinjaException($"The chat template runs over {NameOf(value)}, which is no list."),
    };

    public static bool AreEqual(object? one, object? other) => (one, other) switch
    {
        (long or double, long or double) => Number(one) == Number(other),
        (List<object?> a, List<object?> b) => a.Count == b.Count && a.Zip(b).All(pair => AreEqual(pair.First, pair.Second)),
        _ => Equals(one, other),
    };

    public static int Compare(object? one, object? other) => one is string a && other is string b
        ? string.CompareOrdinal(a, b)
        : Number(one).CompareTo(Number(other));

    public static bool Contains(object? container, object? item) => container switch
    {
        string text => item is string part && text.Contains(part, StringComparison.Ordinal),
        Dictionary<string, object?> dictionary => item is string key && dictionary.ContainsKey(key),
        List<object?> list => list.Exists(each => AreEqual(each, item)),
        _ => false,
    };

    public static double Number(object? value) => value switch
    {
        long number => number,
        double number => number,
        bool flag => flag ? 1 : 0,
        _ => throw new JinjaException($"The chat template calculates with {NameOf(value)}, which is no number."),
    };

    public static string NameOf(object? value) => value switch
    {
        null => "none",
        JinjaScope.Undefined => "something that is not defined",
        string => "a string",
        List<object?> => "a list",
        Dictionary<string, object?> => "a mapping",
        _ => "a number",
    };
}
