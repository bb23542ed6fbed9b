namespace Serving.Server.Logging;

/// <summary>Names every request, by the caller's own <c>x-request-id</c> where it is harmless, and answers with the name.</summary>
internal sealed class RequestIdMiddleware(RequestDelegate next, ILogger<RequestIdMiddleware> logger)
{
    private const string Header = "x-request-id";
    private const int MaxChars = 128;

    public async Task InvokeAsync(HttpContext http)
    {
        string id = IdOf(http.Request);
        http.TraceIdentifier = id;
        http.Response.OnStarting(() =>
        {
            http.Response.Headers[Header] = id;
            return Task.CompletedTask;
        });
        using (logger.BeginScope(new Dictionary<string, object> { ["RequestId"] = id }))
            await next(http);
    }

    private static string IdOf(HttpRequest request) =>
        request.Headers[Header] is [{ } given] && IsHarmless(given) ? given : $"req-{Guid.CreateVersion7():n}";

    /// <summary>Whether an id may stand in a header and in a log: 1 to 128 of A-Z a-z 0-9 . _ : -</summary>
    public static bool IsHarmless(string id) =>
        id.Length is >= 1 and <= MaxChars && id.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or ':' or '-');
}
