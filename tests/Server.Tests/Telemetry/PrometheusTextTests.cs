using System.Diagnostics.Metrics;
using Serving.Server.Telemetry;

namespace Serving.Server.Tests.Telemetry;

public sealed class PrometheusTextTests : IDisposable
{
    private readonly Meter _meter = new("test");

    public void Dispose() => _meter.Dispose();

    [Theory]
    [InlineData("http.server.request.duration", "s", "http_server_request_duration_seconds")]
    [InlineData("vllm:time_to_first_token_seconds", "s", "vllm:time_to_first_token_seconds")]
    [InlineData("serving.memory.used", "By", "serving_memory_used_bytes")]
    [InlineData("kestrel.active_connections", "{connection}", "kestrel_active_connections")]
    public void Name_OfAGauge_IsPrometheus(string name, string unit, string expected) =>
        Assert.Equal(expected, new MetricFamily(_meter.CreateObservableGauge(name, () => 1, unit)).Name);

    [Theory]
    [InlineData("vllm:prompt_tokens_total", null, "vllm:prompt_tokens_total")]
    [InlineData("dotnet.gc.pause.time", "s", "dotnet_gc_pause_time_seconds_total")]
    [InlineData("a.b", null, "a_b_total")]
    public void Name_OfACounter_EndsInTotal(string name, string? unit, string expected) =>
        Assert.Equal(expected, new MetricFamily(_meter.CreateCounter<int>(name, unit)).Name);

    [Fact]
    public void Write_LabelsWithEveryStrangeCharacter_AreEscaped()
    {
        var family = new MetricFamily(_meter.CreateCounter<int>("strange", null, "back\\slash\nline"));
        family.Record(3, [new("the.label", "a\\b\"c\nd"), new("flag", true)], 0);
        Assert.Equal(
            "# HELP strange_total back\\\\slash\\nline\n# TYPE strange_total counter\n"
            + "strange_total{the_label=\"a\\\\b\\\"c\\nd\",flag=\"true\"} 3\n",
            PrometheusText.Write([family], 0));
    }

    [Fact]
    public void Write_Histogram_IsCumulative()
    {
        var advice = new InstrumentAdvice<double> { HistogramBucketBoundaries = [1, 2.5] };
        var family = new MetricFamily(_meter.CreateHistogram("h", "s", null, null, advice));
        foreach (double value in (double[])[0.5, 1, 2, 9])
            family.Record(value, [], 0);
        Exposition read = Exposition.Parse(PrometheusText.Write([family], 0));
        Assert.Equal(2, read.Samples["h_seconds_bucket{le=\"1\"}"]);
        Assert.Equal(3, read.Samples["h_seconds_bucket{le=\"2.5\"}"]);
        Assert.Equal(4, read.Samples["h_seconds_bucket{le=\"+Inf\"}"]);
        Assert.Equal(12.5, read.Samples["h_seconds_sum"]);
    }

    [Fact]
    public void Record_MoreLabelsThanMay_StaysBounded()
    {
        var family = new MetricFamily(_meter.CreateCounter<int>("flood"));
        for (int i = 0; i < 10_000; i++)
            family.Record(1, [new("client", i)], 0);
        Assert.True(family.Series.Count <= MetricFamily.MaxSeries + 1);
        Assert.Equal(10_000, family.Series.Sum(series => series.Value));
    }

    [Fact]
    public void Record_KnownLabels_AllocatesNothing()
    {
        var family = new MetricFamily(_meter.CreateHistogram<double>("quiet"));
        KeyValuePair<string, object?>[] labels = [new("model_name", "m")];
        family.Record(1, labels, 0);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++)
            family.Record(i, labels, 0);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }
}
