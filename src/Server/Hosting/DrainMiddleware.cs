using Serving.Server.Errors;

namespace Serving.Server.Hosting;

/// <summary>Refuses new work under <c>/v1</c> while the server shuts down, and counts what is in flight.</summary>
internal sealed class DrainMiddleware(RequestDelegate next, Drain drain)
{
    public async Task InvokeAsync(HttpContext http)
    {
        if (!http.Request.Path.StartsWithSegments("/v1"))
        {
            await next(http);
            return;
        }
        if (!drain.TryEnter())
        {
            http.Response.Headers.Connection = "close";
            await ErrorWriter.WriteAsync(http, ErrorTable.ShuttingDown());
            return;
        }
        try
        {
            await next(http);
        }
        finally
        {
            drain.Leave();
        }
    }
}
