using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Microsoft.AspNetCore.Http.Features;
using Serving.Inference;
using Serving.Server.Logging;
using Serving.Server.Models;

namespace Serving.Server.Telemetry;

/// <summary>Measures one request of an endpoint that generates; of any other, nothing. Its span is the one that ASP.NET Core began;
/// queue, prefill and decode become its children.</summary>
internal sealed class RequestTelemetry(GenerationMeter meter, HttpContext http)
{
    private readonly long _arrived = Stopwatch.GetTimestamp();
    private readonly ConcurrentQueue<string> _finishReasons = [];
    private ServedModel? _model;

    /// <summary>The span, if somebody wants it.</summary>
    public Activity? Span { get; } = http.Features.Get<IHttpActivityFeature>()?.Activity is { IsAllDataRequested: true } span ? span : null;

    /// <summary>What the endpoint does; null when it does not generate. Known once the request was routed.</summary>
    private string? Operation => http.GetEndpoint()?.Metadata.GetMetadata<GenerativeOperation>()?.Name;

    /// <summary>The telemetry of a request that came through the server's pipeline.</summary>
    public static RequestTelemetry Of(HttpContext http) => http.Features.GetRequiredFeature<RequestTelemetry>();

    /// <summary>Notes who answers.</summary>
    public void Begin(ServedModel model) => _model = model;

    /// <summary>Follows one generation; <see cref="Begin"/> came before.</summary>
    public GenerationTelemetry Follow() => new(this, meter, _model!.Label);

    /// <summary>A generation ended.</summary>
    public void Note(FinishReason reason, in GenerationUsage usage)
    {
        meter.GenerationEnded(Operation ?? "", _model!.Label, reason, usage);
        _finishReasons.Enqueue(GenerationMeter.NameOf(reason));
    }

    /// <summary>The request is over.</summary>
    public void End()
    {
        if (Operation is not { } operation)
            return;
        RequestFacts facts = RequestFacts.Of(http);
        int status = facts.Status ?? http.Response.StatusCode;
        string? error = facts.ErrorCode ?? (status >= 400 ? status.ToString(CultureInfo.InvariantCulture) : null);
        meter.RequestEnded(operation, _model?.Label, error, Stopwatch.GetElapsedTime(_arrived).TotalSeconds);
        if (Span is not null)
            Describe(Span, operation, facts, error);
    }

    private void Describe(Activity span, string operation, RequestFacts facts, string? error)
    {
        span.DisplayName = _model is null ? operation : $"{operation} {_model.Label}";
        span.SetTag("gen_ai.operation.name", operation);
        span.SetTag("gen_ai.provider.name", "serving");
        span.SetTag("gen_ai.request.model", _model?.Label);
        span.SetTag("gen_ai.response.model", _model?.Label);
        span.SetTag("gen_ai.response.finish_reasons", _finishReasons.IsEmpty ? null : _finishReasons.ToArray());
        span.SetTag("gen_ai.usage.input_tokens", facts.PromptTokens);
        span.SetTag("gen_ai.usage.output_tokens", facts.CompletionTokens);
        span.SetTag("serving.request_id", http.TraceIdentifier);
        span.SetTag("serving.system_fingerprint", _model?.Fingerprint);
        if (error is not null)
            span.SetTag("error.type", error).SetStatus(ActivityStatusCode.Error);
    }
}
