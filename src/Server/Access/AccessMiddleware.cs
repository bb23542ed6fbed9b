using System.Net;
using Microsoft.Extensions.Options;
using Serving.Server.Errors;
using Serving.Server.Hosting;
using Serving.Server.Logging;

namespace Serving.Server.Access;

/// <summary>Lets requests through by their key: deny by default, a path that has no endpoint included. Without keys in the
/// configuration everything is open to this machine, and to others, where they are let in at all, everything but what needs the
/// scope admin. Stands after routing.</summary>
internal sealed class AccessMiddleware(RequestDelegate next, ApiKeys keys, IOptions<ServingOptions> options)
{
    private const string Bearer = "Bearer ";

    public async Task InvokeAsync(HttpContext http)
    {
        AccessRule? rule = http.GetEndpoint()?.Metadata.GetMetadata<AccessRuleMetadata>()?.Rule;
        if (keys.Count > 0 && rule != AccessRule.Anybody)
            await ServeAsync(http, Require(http.Request), rule);
        else if (rule == AccessRule.Admin && http.Connection.RemoteIpAddress is { } client && !IPAddress.IsLoopback(client))
            throw new ApiException(ErrorTable.InsufficientScope());
        else
            await next(http);
    }

    private async Task ServeAsync(HttpContext http, ApiKey key, AccessRule? rule)
    {
        RequestFacts.Of(http).Key = key.Name;
        if (rule == AccessRule.Admin && !key.IsAdmin)
            throw new ApiException(ErrorTable.InsufficientScope());
        var use = new KeyUse(key, http, options.Value.MaxAnswersPerKey);
        http.Features.Set(use);
        if (HttpMethods.IsPost(http.Request.Method))
            use.TakeRequest();
        try
        {
            await next(http);
        }
        finally
        {
            RequestFacts facts = RequestFacts.Of(http);
            use.Settle((facts.PromptTokens ?? 0) + (facts.CompletionTokens ?? 0));
        }
    }

    private ApiKey Require(HttpRequest request)
    {
        string header = request.Headers.Authorization.ToString();
        string presented = header.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase) ? header[Bearer.Length..].Trim() : "";
        return keys.Find(presented) ?? throw new ApiException(ErrorTable.InvalidApiKey(isMissing: presented.Length == 0));
    }
}
