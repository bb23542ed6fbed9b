namespace Serving.Server.Logging;

/// <summary>What a request's log event tells beyond HTTP. Filled by the endpoint, never with text of the caller.</summary>
internal sealed class RequestFacts
{
    /// <summary>The status to log, where the one of the response says something else.</summary>
    public int? Status { get; set; }

    public string? Model { get; set; }

    /// <summary>The name of the key; never the key.</summary>
    public string? Key { get; set; }

    public int? PromptTokens { get; set; }

    public int? CompletionTokens { get; set; }

    /// <summary>From the arrival of the request to its first generated token.</summary>
    public double? FirstTokenMilliseconds { get; set; }

    /// <summary>The code of the error that was answered or that broke a stream.</summary>
    public string? ErrorCode { get; set; }

    /// <summary>The facts of a request.</summary>
    public static RequestFacts Of(HttpContext http)
    {
        if (http.Features.Get<RequestFacts>() is { } facts)
            return facts;
        facts = new RequestFacts();
        http.Features.Set(facts);
        return facts;
    }
}
