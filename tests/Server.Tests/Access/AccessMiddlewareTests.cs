using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;
using Serving.Server.Access;
using Serving.Server.Errors;
using Serving.Server.Hosting;

namespace Serving.Server.Tests.Access;

/// <summary>A server without keys that listens to other machines, too.</summary>
public sealed class AccessMiddlewareTests
{
    [Theory]
    [InlineData("127.0.0.1", true, true)]
    [InlineData("::1", true, true)]
    [InlineData("::ffff:127.0.0.1", true, true)]
    [InlineData("10.1.2.3", true, false)]
    [InlineData("10.1.2.3", false, true)]
    public async Task Invoke_WithoutKeys_LeavesAdminRoutesToThisMachine(string client, bool isAdminRoute, bool isServed)
    {
        bool wasServed = false;
        var middleware = new AccessMiddleware(
            _ =>
            {
                wasServed = true;
                return Task.CompletedTask;
            },
            new ApiKeys([], TimeProvider.System), Options.Create(new ServingOptions()));
        var http = new DefaultHttpContext();
        http.Connection.RemoteIpAddress = IPAddress.Parse(client);
        http.SetEndpoint(new Endpoint(null, new EndpointMetadataCollection(isAdminRoute ? [new AccessRuleMetadata(AccessRule.Admin)] : []), "route"));
        if (isServed)
            await middleware.InvokeAsync(http);
        else
            Assert.Equal(ErrorCode.InsufficientScope, (await Assert.ThrowsAsync<ApiException>(() => middleware.InvokeAsync(http))).Failure.Error.Code);
        Assert.Equal(isServed, wasServed);
    }
}
