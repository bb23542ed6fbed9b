using System.Globalization;

namespace Serving.Server.Chat.Jinja;

/// <summary>The functions of templates.</summary>
internal static class JinjaFunctions
{
    private const long MaxRange = 100_000;

    /// <summary>Names that <see cref="Apply"/> knows.</summary>
    public static IReadOnlySet<string> Names { get; } = new HashSet<string>(StringComparer.Ordinal)
    {
        "raise_exception", "namespace", "dict", "range", "strftime_now",
    };

    public static object? Apply(JinjaArguments arguments) => arguments.Name switch
    {
        "raise_exception" => throw new JinjaException(arguments.Text(0, "message", "The chat template refuses these messages.")),
        "namespace" or "dict" => new Dictionary<string, object?>(arguments.Named),
        "range" => Range(arguments.Placed),
        "strftime_now" => DateOf(arguments.Text(0, "format")),
        _ => throw arguments.NotSupported(),
    };

    private static List<object?> Range(IReadOnlyList<object?> bounds)
    {
        (long from, long to, long step) = bounds switch
        {
            [long end] => (0, end, 1),
            [long start, long end] => (start, end, 1),
            [long start, long end, long by and not 0] => (start, end, by),
            _ => throw new JinjaException("The chat template calls range() with something that is no range."),
        };
        List<object?> numbers = [];
        for (long i = from; (step > 0 ? i < to : i > to) && numbers.Count < MaxRange; i += step)
            numbers.Add(i);
        return numbers;
    }

    private static string DateOf(string format) => string.Concat(format.Split('%').Select((part, i) => i == 0 || part.Length == 0
        ? part
        : Field(part[0]) + part[1..]));

    private static string Field(char code) => DateTime.Now.ToString(code switch
    {
        'Y' => "yyyy",
        'm' => "MM",
        'd' => "dd",
        'B' => "MMMM",
        'b' => "MMM",
        'H' => "HH",
        'M' => "mm",
        'S' => "ss",
        'A' => "dddd",
        _ => throw new JinjaException($"The chat template formats a date with '%{code}', which is not supported here."),
    }, CultureInfo.InvariantCulture);
}
