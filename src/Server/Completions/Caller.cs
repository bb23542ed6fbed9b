using Serving.Server.Access;

namespace Serving.Server.Completions;

/// <summary>Who asks.</summary>
/// <param name="RequestId">Names the request to the engine and in the log.</param>
/// <param name="IsStrict">Whether fields that are not known are refused: the header <c>X-Strict: 1</c>.</param>
/// <param name="Scope">Callers of different scopes share no cached prefixes and take turns in the queue.</param>
internal readonly record struct Caller(string RequestId, bool IsStrict, long Scope = 0)
{
    public static Caller Of(HttpContext http) =>
        new(http.TraceIdentifier, http.Request.Headers["X-Strict"] is ["1"], KeyUse.Of(http)?.Scope ?? 0);
}
