namespace Serving.Server.Chat.Jinja;

/// <summary>Python's methods of strings and dictionaries, as templates call them.</summary>
internal static class JinjaMethods
{
    /// <summary>Names that <see cref="Apply"/> knows.</summary>
    public static IReadOnlySet<string> Names { get; } = new HashSet<string>(StringComparer.Ordinal)
    {
        "strip", "lstrip", "rstrip", "upper", "lower", "title", "capitalize", "startswith", "endswith", "split", "replace", "items", "keys", "values",
        "get",
    };

    public static object? Apply(object? value, JinjaArguments arguments) => (value, arguments.Name) switch
    {
        (string text, "strip") => text.Trim(Characters(arguments)),
        (string text, "lstrip") => text.TrimStart(Characters(arguments)),
        (string text, "rstrip") => text.TrimEnd(Characters(arguments)),
        (string text, "startswith") => text.StartsWith(arguments.Text(0, "prefix"), StringComparison.Ordinal),
        (string text, "endswith") => text.EndsWith(arguments.Text(0, "suffix"), StringComparison.Ordinal),
        (string text, "split") => Split(text, arguments),
        (string, "upper" or "lower" or "title" or "capitalize" or "replace") => JinjaFilters.Apply(value, arguments),
        (Dictionary<string, object?>, "items") => Pairs(value),
        (Dictionary<string, object?> dictionary, "keys") => dictionary.Keys.ToList<object?>(),
        (Dictionary<string, object?> dictionary, "values") => dictionary.Values.ToList(),
        (Dictionary<string, object?> dictionary, "get") =>
            dictionary.TryGetValue(arguments.Text(0, "key"), out object? found) ? found : arguments.Get(1, "default"),
        _ => throw arguments.NotSupported(),
    };

    /// <summary>Keys with their values.</summary>
    public static List<object?> Pairs(object? value) => value is Dictionary<string, object?> dictionary
        ? [.. dictionary.Select(pair => (List<object?>)[pair.Key, pair.Value])]
        : throw new JinjaException($"The chat template asks for the items of {JinjaValue.NameOf(value)}, which is no mapping.");

    // No characters at all mean white space, to .NET as to Python.
    private static char[] Characters(JinjaArguments arguments) => arguments.Text(0, "chars").ToCharArray();

    private static List<object?> Split(string text, JinjaArguments arguments)
    {
        string separator = arguments.Text(0, "sep");
        int most = arguments.Get(1, "maxsplit") is long splits and >= 0 and < int.MaxValue ? (int)splits + 1 : int.MaxValue;
        return separator.Length == 0
            ? [.. text.Split((char[]?)null, most, StringSplitOptions.RemoveEmptyEntries)]
            : [.. text.Split(separator, most)];
    }
}
