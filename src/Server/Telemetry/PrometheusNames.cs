using System.Diagnostics.Metrics;
using System.Text;

namespace Serving.Server.Telemetry;

/// <summary>The names of instruments in Prometheus: dots become underscores, units are spelled out, counters end in _total.</summary>
internal static class PrometheusNames
{
    public static string Of(Instrument instrument, MetricKind kind)
    {
        string name = Clean(instrument.Name);
        name = WithSuffix(name, instrument.Unit switch
        {
            "s" => "_seconds",
            "By" => "_bytes",
            _ => "",
        });
        return kind == MetricKind.Counter ? WithSuffix(name, "_total") : name;
    }

    /// <summary>A label's name: letters, digits and underscores.</summary>
    public static string OfLabel(string label) => Clean(label).Replace(':', '_');

    private static string WithSuffix(string name, string suffix) =>
        name.EndsWith(suffix, StringComparison.Ordinal) || name.EndsWith($"{suffix}_total", StringComparison.Ordinal) ? name : name + suffix;

    private static string Clean(string name)
    {
        var clean = new StringBuilder(name.Length);
        foreach (char c in name)
            clean.Append(char.IsAsciiLetterOrDigit(c) || c is ':' ? c : '_');
        return clean.ToString();
    }
}
