using System.Diagnostics;

namespace Serving.Server.Logging;

/// <summary>Writes one event a request, when it is over.</summary>
internal sealed class RequestLogMiddleware(RequestDelegate next, ILogger<RequestLogMiddleware> logger)
{
    private const string Template = "{Method} {Route} answered {Status} in {ElapsedMs:0.0} ms";

    public async Task InvokeAsync(HttpContext http)
    {
        long start = Stopwatch.GetTimestamp();
        try
        {
            await next(http);
        }
        finally
        {
            Write(http, Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }
    }

    private void Write(HttpContext http, double milliseconds)
    {
        string route = (http.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText ?? "(no route)";
        LogLevel level = route.StartsWith("/health", StringComparison.Ordinal) || route == "/metrics" ? LogLevel.Debug : LogLevel.Information;
        RequestFacts facts = RequestFacts.Of(http);
        using (logger.BeginScope(Known(facts)))
            logger.Log(level, Template, http.Request.Method, route, facts.Status ?? http.Response.StatusCode, milliseconds);
    }

    private static Dictionary<string, object> Known(RequestFacts facts)
    {
        var known = new Dictionary<string, object>();
        Add("Model", facts.Model);
        Add("Key", facts.Key);
        Add("PromptTokens", facts.PromptTokens);
        Add("CompletionTokens", facts.CompletionTokens);
        Add("TtftMs", facts.FirstTokenMilliseconds);
        Add("ErrorCode", facts.ErrorCode);
        return known;

        void Add(string name, object? value)
        {
            if (value is not null)
                known[name] = value;
        }
    }
}
