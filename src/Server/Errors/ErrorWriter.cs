using System.Globalization;
using Microsoft.AspNetCore.Mvc;
using Serving.Server.Json;

namespace Serving.Server.Errors;

/// <summary>Writes a failure: OpenAI's object under <c>/v1</c>, ProblemDetails elsewhere.</summary>
internal static class ErrorWriter
{
    /// <summary>Writes the whole answer. The response must not have started.</summary>
    public static async Task WriteAsync(HttpContext http, ApiFailure failure)
    {
        HttpResponse response = http.Response;
        response.StatusCode = failure.Status;
        if (failure.RetryAfterSeconds is { } seconds)
            response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        if (failure.Status == StatusCodes.Status401Unauthorized)
            response.Headers.WWWAuthenticate = "Bearer";
        if (failure.IsPermanent)
            response.Headers["x-should-retry"] = "false";
        if (HttpMethods.IsHead(http.Request.Method))
            return;
        CancellationToken left = http.RequestAborted;
        ServerJson json = ServerJson.Contracts;
        if (IsApi(http.Request.Path))
            await response.WriteAsJsonAsync(new ApiErrorResponse(failure.Error), json.ApiErrorResponse, cancellationToken: left);
        else
            await response.WriteAsJsonAsync(Details(http, failure), json.ProblemDetails, "application/problem+json", left);
    }

    private static bool IsApi(PathString path) => path.StartsWithSegments("/v1");

    private static ProblemDetails Details(HttpContext http, ApiFailure failure) => new()
    {
        Status = failure.Status,
        Title = Microsoft.AspNetCore.WebUtilities.ReasonPhrases.GetReasonPhrase(failure.Status),
        Detail = failure.Error.Message,
        Extensions =
        {
            ["traceId"] = System.Diagnostics.Activity.Current?.Id ?? http.TraceIdentifier,
            ["code"] = failure.Error.Code,
            ["param"] = failure.Error.Param,
        },
    };
}
