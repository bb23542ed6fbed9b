using System.Globalization;

namespace Serving.Server.Chat.Jinja;

/// <summary>The filters of templates.</summary>
internal static class JinjaFilters
{
    /// <summary>Names that <see cref="Apply"/> knows.</summary>
    public static IReadOnlySet<string> Names { get; } = new HashSet<string>(StringComparer.Ordinal)
    {
        "trim", "upper", "lower", "capitalize", "title", "length", "count", "first", "last", "join", "replace", "default", "d",
        "tojson", "string", "int", "list", "safe", "items", "reverse", "map", "selectattr", "rejectattr",
    };

    public static object? Apply(object? value, JinjaArguments arguments) => arguments.Name switch
    {
        "trim" => JinjaValue.ToText(value).Trim(),
        "upper" => JinjaValue.ToText(value).ToUpperInvariant(),
        "lower" => JinjaValue.ToText(value).ToLowerInvariant(),
        "capitalize" => Capitalized(JinjaValue.ToText(value)),
        "title" => CultureInfo.InvariantCulture.TextInfo.ToTitleCase(JinjaValue.ToText(value).ToLowerInvariant()),
        "length" or "count" => value is Dictionary<string, object?> dictionary ? dictionary.Count : (long)JinjaValue.Items(value).Count,
        "first" => JinjaValue.Items(value) is [var first, ..] ? first : JinjaScope.Undefined.Value,
        "last" => JinjaValue.Items(value) is [.., var last] ? last : JinjaScope.Undefined.Value,
        "join" => string.Join(arguments.Text(0, "d"), JinjaValue.Items(value).Select(JinjaValue.ToText)),
        "replace" => JinjaValue.ToText(value).Replace(arguments.Text(0, "old"), arguments.Text(1, "new"), StringComparison.Ordinal),
        "default" or "d" => UsesDefault(value, arguments) ? arguments.Get(0, "default_value") : value,
        "tojson" => JinjaJson.Write(value, arguments.Get(0, "indent") is long indent ? (int)indent : null),
        "string" or "safe" => JinjaValue.ToText(value),
        "int" => long.TryParse(JinjaValue.ToText(value), CultureInfo.InvariantCulture, out long number) ? number : 0L,
        "list" => JinjaValue.Items(value).ToList(),
        "items" => JinjaMethods.Pairs(value),
        "reverse" => Enumerable.Reverse(JinjaValue.Items(value)).ToList(),
        "map" => JinjaValue.Items(value).Select(item => MemberOf(item, arguments.Text(0, "attribute"), arguments)).ToList(),
        "selectattr" => JinjaValue.Items(value).Where(item => Passes(item, arguments)).ToList(),
        "rejectattr" => JinjaValue.Items(value).Where(item => !Passes(item, arguments)).ToList(),
        _ => throw arguments.NotSupported(),
    };

    private static bool UsesDefault(object? value, JinjaArguments arguments) => value is JinjaScope.Undefined
        || (JinjaValue.IsTrue(arguments.Get(1, "boolean")) && !JinjaValue.IsTrue(value));

    private static string Capitalized(string text) =>
        text.Length == 0 ? text : char.ToUpperInvariant(text[0]) + text[1..].ToLowerInvariant();

    private static bool Passes(object? item, JinjaArguments arguments)
    {
        object? member = MemberOf(item, arguments.Text(0, "attribute"), arguments);
        return arguments.Placed.Count switch
        {
            1 => JinjaValue.IsTrue(member),
            _ => JinjaValue.IsTrue(new JinjaExpression.Is(new JinjaExpression.Literal(member), arguments.Text(1, "test"),
                new JinjaExpression.Literal(arguments.Get(2, "value"))).Evaluate(new JinjaScope(new Dictionary<string, object?>()))),
        };
    }

    private static object? MemberOf(object? item, string name, JinjaArguments arguments) => item is Dictionary<string, object?> dictionary
        ? dictionary.GetValueOrDefault(name, JinjaScope.Undefined.Value)
        : throw arguments.NotSupported();
}
