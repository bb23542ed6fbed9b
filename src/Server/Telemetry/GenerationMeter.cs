using System.Diagnostics;
using System.Diagnostics.Metrics;
using Serving.Inference;

namespace Serving.Server.Telemetry;

/// <summary>Histograms and counters of requests and of the answers they generate. Thread-safe.</summary>
internal sealed class GenerationMeter
{
    private const string ModelName = "model_name";

    private static readonly double[] DurationBounds = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
    private static readonly double[] FirstTokenBounds = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
    private static readonly double[] TokenBounds = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5];
    private static readonly double[] GapBounds = [0.0005, 0.001, 0.0025, 0.005, .. TokenBounds];

    private readonly Histogram<double> _duration;
    private readonly Histogram<double> _serverFirstToken;
    private readonly Histogram<double> _serverTokenTime;
    private readonly Histogram<double> _firstToken;
    private readonly Histogram<double> _gap;
    private readonly Histogram<double> _tokenTime;
    private readonly Histogram<double> _latency;
    private readonly Histogram<double> _queue;
    private readonly Counter<long> _ended;

    public GenerationMeter(IMeterFactory meters)
    {
        Meter requests = meters.Create(ServingMeters.Requests);
        _duration = Seconds(requests, "gen_ai.server.request.duration", "From the arrival of a request to the end of its answer.", DurationBounds);
        _serverFirstToken = Seconds(requests, "gen_ai.server.time_to_first_token", "From the queue to the first token.", FirstTokenBounds);
        _serverTokenTime = Seconds(requests, "gen_ai.server.time_per_output_token", "Mean time of each token after the first.", TokenBounds);
        Meter engines = meters.Create(ServingMeters.Engines);
        _firstToken = Seconds(engines, "vllm:time_to_first_token_seconds", "From the queue to the first token.", FirstTokenBounds);
        _gap = Seconds(engines, "vllm:inter_token_latency_seconds", "Between a token and the next.", GapBounds);
        _tokenTime = Seconds(engines, "vllm:request_time_per_output_token_seconds", "Mean time of each token after the first.", GapBounds);
        _latency = Seconds(engines, "vllm:e2e_request_latency_seconds", "From the queue to the last token.", DurationBounds);
        _queue = Seconds(engines, "vllm:request_queue_time_seconds", "In the queue.", FirstTokenBounds);
        _ended = engines.CreateCounter<long>("vllm:request_success_total", null, "Generations that ended, by how.");
    }

    /// <summary>A request is over.</summary>
    /// <param name="operation">As <c>text_completion</c>.</param>
    /// <param name="model">The label of the model; null when none was found.</param>
    /// <param name="error">A code of the closed set; null = success.</param>
    /// <param name="seconds">What it took.</param>
    public void RequestEnded(string operation, string? model, string? error, double seconds)
    {
        TagList labels = Labels(operation, model);
        if (error is not null)
            labels.Add("error.type", error);
        _duration.Record(seconds, labels);
    }

    /// <summary>A token came after another.</summary>
    public void TokenFollowed(string model, double seconds) => _gap.Record(seconds, Label(model));

    /// <summary>A generation is over, however it ended.</summary>
    public void GenerationEnded(string operation, string model, FinishReason reason, in GenerationUsage usage)
    {
        _ended.Add(1, Label(model), new("finished_reason", NameOf(reason)));
        _queue.Record(usage.QueueSeconds, Label(model));
        _latency.Record(usage.TotalSeconds, Label(model));
        if (usage.FirstTokenSeconds is not { } first)
            return;
        _firstToken.Record(first, Label(model));
        _serverFirstToken.Record(first, Labels(operation, model));
        if (usage.GeneratedTokens < 2)
            return;
        double each = (usage.TotalSeconds - first) / (usage.GeneratedTokens - 1);
        _tokenTime.Record(each, Label(model));
        _serverTokenTime.Record(each, Labels(operation, model));
    }

    /// <summary>The reason in metrics and traces.</summary>
    public static string NameOf(FinishReason reason) => reason switch
    {
        FinishReason.Stop => "stop",
        FinishReason.Length => "length",
        FinishReason.Cancelled => "abort",
        _ => "error",
    };

    private static KeyValuePair<string, object?> Label(string model) => new(ModelName, model);

    private static TagList Labels(string operation, string? model)
    {
        TagList labels = new() { { "gen_ai.operation.name", operation }, { "gen_ai.provider.name", "serving" } };
        if (model is not null)
        {
            labels.Add("gen_ai.request.model", model);
            labels.Add("gen_ai.response.model", model);
        }
        return labels;
    }

    private static Histogram<double> Seconds(Meter meter, string name, string description, double[] bounds) =>
        meter.CreateHistogram(name, "s", description, null, new InstrumentAdvice<double> { HistogramBucketBoundaries = bounds });
}
