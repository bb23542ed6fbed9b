using System.Net;

namespace Serving.Client;

/// <summary>What the server answered instead of a result.</summary>
public sealed class ServingException : Exception
{
    internal ServingException(string message, HttpStatusCode status) : base(message) => Status = status;

    /// <summary>The status; 200 where a stream that had begun could not finish.</summary>
    public HttpStatusCode Status { get; }

    /// <summary>One of the server's codes, as <c>model_not_found</c>; null where it gave none.</summary>
    public string? Code { get; init; }

    /// <summary>The path of the field at fault, as <c>stop[2]</c>.</summary>
    public string? Param { get; init; }

    /// <summary>The server's name for the request, which its log has, too.</summary>
    public string? RequestId { get; init; }

    /// <summary>When another attempt may succeed; null = not by waiting.</summary>
    public TimeSpan? RetryAfter { get; init; }
}
