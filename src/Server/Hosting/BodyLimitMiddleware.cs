using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;

namespace Serving.Server.Hosting;

/// <summary>
/// Refuses bodies that are too large in a way that their senders hear of. Kestrel itself would close the connection on who is
/// still sending, and the answer would be lost with it; here it answers, and then reads on for a few seconds.
/// </summary>
internal sealed class BodyLimitMiddleware(RequestDelegate next, IOptions<ServingOptions> options)
{
    public Task InvokeAsync(HttpContext http)
    {
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
            limit.MaxRequestBodySize = null;
        if (http.Request.ContentLength > options.Value.MaxBodyBytes)
            throw LimitedStream.TooLarge();
        http.Request.Body = new LimitedStream(http.Request.Body, options.Value.MaxBodyBytes);
        return next(http);
    }
}
