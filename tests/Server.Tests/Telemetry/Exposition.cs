using System.Globalization;
using System.Text.RegularExpressions;

namespace Serving.Server.Tests.Telemetry;

/// <summary>A strict reader of Prometheus' text format 0.0.4: anything that the format does not allow is an exception.</summary>
internal sealed partial class Exposition
{
    private readonly Dictionary<string, string> _types = new(StringComparer.Ordinal);
    private readonly HashSet<string> _closed = new(StringComparer.Ordinal);
    private string? _current;

    private Exposition()
    {
    }

    /// <summary>Value of each sample by its name and labels, as in the text.</summary>
    public Dictionary<string, double> Samples { get; } = new(StringComparer.Ordinal);

    /// <summary>Type of each family.</summary>
    public IReadOnlyDictionary<string, string> Types => _types;

    public static Exposition Parse(string text)
    {
        Assert.EndsWith("\n", text, StringComparison.Ordinal);
        Assert.DoesNotContain('\r', text);
        var exposition = new Exposition();
        foreach (string line in text[..^1].Split('\n'))
            exposition.Read(line);
        exposition.CheckHistograms();
        return exposition;
    }

    /// <summary>The sum of all samples of a name whose labels hold a text.</summary>
    public double Sum(string name, string label = "") =>
        Samples.Where(sample => NameOf(sample.Key) == name && sample.Key.Contains(label, StringComparison.Ordinal)).Sum(sample => sample.Value);

    private static string NameOf(string sample) => sample.Split('{', 2)[0];

    private void Read(string line)
    {
        if (HelpLine().Match(line) is { Success: true } help)
            Open(help.Groups[1].Value);
        else if (TypeLine().Match(line) is { Success: true } type)
            Declare(type.Groups[1].Value, type.Groups[2].Value);
        else
            ReadSample(line);
    }

    private void Open(string family)
    {
        if (family == _current)
            return;
        if (_current is not null)
            Assert.True(_closed.Add(_current), $"{_current} is torn apart");
        Assert.DoesNotContain(family, _closed);
        _current = family;
    }

    private void Declare(string family, string type)
    {
        Open(family);
        Assert.True(_types.TryAdd(family, type), $"{family} has two types");
    }

    private void ReadSample(string line)
    {
        Match sample = SampleLine().Match(line);
        Assert.True(sample.Success, $"not a sample: {line}");
        string name = sample.Groups[1].Value;
        string family = _types.ContainsKey(name) ? name : Suffix().Replace(name, "");
        Assert.Equal(_current, family);
        if (_types[family] == "counter")
            Assert.EndsWith("_total", name, StringComparison.Ordinal);
        string[] labels = [.. Label().Matches(sample.Groups[2].Value).Select(label => label.Groups[1].Value)];
        Assert.Equal(labels.Length, labels.Distinct().Count());
        string text = sample.Groups[3].Value;
        double value = text switch
        {
            "+Inf" => double.PositiveInfinity,
            "-Inf" => double.NegativeInfinity,
            _ => double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture),
        };
        Assert.True(Samples.TryAdd(line[..^(text.Length + 1)], value), $"twice: {line}");
    }

    private void CheckHistograms()
    {
        foreach (string family in _types.Where(type => type.Value == "histogram").Select(type => type.Key))
        {
            foreach (string count in Samples.Keys.Where(key => NameOf(key) == $"{family}_count").ToArray())
                CheckBuckets(family, count[$"{family}_count".Length..]);
        }
    }

    private void CheckBuckets(string family, string labels)
    {
        string prefix = labels.Length == 0 ? "{" : labels[..^1] + ",";
        (string Bound, double Count)[] buckets = [.. Samples.Where(sample => sample.Key.StartsWith($"{family}_bucket{prefix}le=", StringComparison.Ordinal))
            .Select(sample => (Bound().Match(sample.Key).Groups[1].Value, sample.Value))];
        Assert.Equal("+Inf", buckets[^1].Bound);
        Assert.Equal(Samples[$"{family}_count{labels}"], buckets[^1].Count);
        Assert.Contains($"{family}_sum{labels}", Samples.Keys);
        double[] bounds = [.. buckets[..^1].Select(bucket => double.Parse(bucket.Bound, CultureInfo.InvariantCulture))];
        Assert.Equal(bounds.Order(), bounds);
        Assert.Equal(buckets.Select(bucket => bucket.Count).Order(), buckets.Select(bucket => bucket.Count));
    }

    [GeneratedRegex(@"^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (?:[^\\]|\\\\|\\n)*$")]
    private static partial Regex HelpLine();

    [GeneratedRegex("^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram)$")]
    private static partial Regex TypeLine();

    [GeneratedRegex(@"^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[a-zA-Z_][a-zA-Z0-9_]*=""(?:[^""\\]|\\[\\""n])*""(?:,[a-zA-Z_][a-zA-Z0-9_]*=""(?:[^""\\]|\\[\\""n])*"")*\})? ([-+]?(?:Inf|NaN|[0-9][0-9.eE+-]*))$")]
    private static partial Regex SampleLine();

    [GeneratedRegex(@"([a-zA-Z_][a-zA-Z0-9_]*)=""(?:[^""\\]|\\.)*""")]
    private static partial Regex Label();

    [GeneratedRegex("_(bucket|sum|count)$")]
    private static partial Regex Suffix();

    [GeneratedRegex("le=\"([^\"]*)\"\\}$")]
    private static partial Regex Bound();
}
