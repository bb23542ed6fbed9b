using Serving.Server.Completions;
using Serving.Server.Logging;

namespace Serving.Server.Errors;

/// <summary>Gives every failed request a body, and breaks a connection whose answer cannot be completed.</summary>
internal sealed class ErrorMiddleware(RequestDelegate next, ILogger<ErrorMiddleware> logger)
{
    public async Task InvokeAsync(HttpContext http)
    {
        try
        {
            await next(http);
            if (NeedsBody(http.Response))
            {
                await ErrorWriter.WriteAsync(
                    http, ErrorTable.FromStatus(http.Response.StatusCode, http.Request.Method, http.Request.Path));
            }
        }
        catch (OperationCanceledException left) when (left is ClientLeftException || http.RequestAborted.IsCancellationRequested)
        {
            RequestFacts.Of(http).Status = ErrorTable.ClientClosedRequest;
        }
        catch (BrokenStreamException broken)
        {
            LogInternal(ErrorTable.From(broken.InnerException!), broken.InnerException!);
            throw;
        }
        catch (Exception fault)
        {
            await AnswerAsync(http, fault);
        }
    }

    private async Task AnswerAsync(HttpContext http, Exception fault)
    {
        ApiFailure failure = ErrorTable.From(fault);
        LogInternal(failure, fault);
        RequestFacts.Of(http).ErrorCode = failure.Error.Code;
        if (http.Response.HasStarted)
        {
            http.Abort();
            return;
        }
        http.Response.Clear();
        await ErrorWriter.WriteAsync(http, failure);
    }

    private void LogInternal(ApiFailure failure, Exception fault)
    {
        if (failure.Status == StatusCodes.Status500InternalServerError)
            logger.LogError(fault, "The request failed");
    }

    private static bool NeedsBody(HttpResponse response) =>
        response is { StatusCode: >= 400, HasStarted: false, ContentLength: null, ContentType: null };
}
