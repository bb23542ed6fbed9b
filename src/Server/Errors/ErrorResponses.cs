namespace Serving.Server.Errors;

/// <summary>Describes an endpoint's errors in the OpenAPI document.</summary>
internal static class ErrorResponses
{
    public static RouteHandlerBuilder ProducesErrors(this RouteHandlerBuilder endpoint, params ReadOnlySpan<int> statuses)
    {
        foreach (int status in statuses)
            endpoint.Produces<ApiErrorResponse>(status);
        return endpoint;
    }
}
