using System.Globalization;
using System.Text;

namespace Serving.Server.Telemetry;

/// <summary>Writes families in Prometheus' text format, version 0.0.4.</summary>
internal static class PrometheusText
{
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    /// <param name="families">Of distinct names.</param>
    /// <param name="scrape">Observed series that do not belong to this scrape are gone.</param>
    public static string Write(IEnumerable<MetricFamily> families, long scrape)
    {
        var text = new StringBuilder(16_384);
        foreach (MetricFamily family in families)
        {
            MetricSeries[] series = [.. family.Series.Where(each => !family.IsObserved || each.Scrape == scrape)];
            if (series.Length > 0)
                Write(family, series, text);
        }
        return text.ToString();
    }

    private static void Write(MetricFamily family, MetricSeries[] series, StringBuilder text)
    {
        if (family.Help.Length > 0)
            text.Append("# HELP ").Append(family.Name).Append(' ').Append(Escape(family.Help)).Append('\n');
        text.Append("# TYPE ").Append(family.Name).Append(' ').Append(TypeOf(family.Kind)).Append('\n');
        foreach (MetricSeries each in series)
        {
            if (family.Kind == MetricKind.Histogram)
                WriteHistogram(family, each, text);
            else
                Sample(family.Name, "", each, null, Number(each.Value), text);
        }
    }

    private static void WriteHistogram(MetricFamily family, MetricSeries series, StringBuilder text)
    {
        long[] buckets = series.ReadBuckets();
        long count = 0;
        for (int i = 0; i < buckets.Length; i++)
        {
            count += buckets[i];
            string bound = i < family.Bounds.Length ? Number(family.Bounds[i]) : "+Inf";
            Sample(family.Name, "_bucket", series, bound, Number(count), text);
        }
        Sample(family.Name, "_sum", series, null, Number(series.Value), text);
        Sample(family.Name, "_count", series, null, Number(count), text);
    }

    private static void Sample(string name, string suffix, MetricSeries series, string? bound, string value, StringBuilder text)
    {
        text.Append(name).Append(suffix);
        char opening = '{';
        foreach ((string key, object? label) in series.Labels)
            Label(PrometheusNames.OfLabel(key), TextOf(label));
        if (bound is not null)
            Label("le", bound);
        if (opening != '{')
            text.Append('}');
        text.Append(' ').Append(value).Append('\n');

        void Label(string key, string content)
        {
            text.Append(opening).Append(key).Append("=\"").Append(Escape(content).Replace("\"", "\\\"", StringComparison.Ordinal)).Append('"');
            opening = ',';
        }
    }

    private static string TypeOf(MetricKind kind) => kind switch
    {
        MetricKind.Counter => "counter",
        MetricKind.Histogram => "histogram",
        _ => "gauge",
    };

    private static string TextOf(object? label) => label switch
    {
        bool flag => flag ? "true" : "false",
        IFormattable value => value.ToString(null, CultureInfo.InvariantCulture),
        _ => label?.ToString() ?? "",
    };

    private static string Escape(string text) =>
        text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);

    private static string Number(double value) =>
        double.IsPositiveInfinity(value) ? "+Inf"
        : double.IsNegativeInfinity(value) ? "-Inf"
        : value.ToString("R", CultureInfo.InvariantCulture);
}
