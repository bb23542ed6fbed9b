using Serving.Server.Logging;

namespace Serving.Server.Tests.Logging;

public sealed class RequestIdTests
{
    [Theory]
    [InlineData("a", true)]
    [InlineData("AZaz09._:-", true)]
    [InlineData("", false)]
    [InlineData("a b", false)]
    [InlineData("a\nb", false)]
    [InlineData("é", false)]
    [InlineData("a/b", false)]
    public void IsHarmless_FollowsTheRule(string id, bool expected) => Assert.Equal(expected, RequestIdMiddleware.IsHarmless(id));

    [Theory]
    [InlineData(128, true)]
    [InlineData(129, false)]
    public void IsHarmless_Length_IsBounded(int length, bool expected) =>
        Assert.Equal(expected, RequestIdMiddleware.IsHarmless(new string('a', length)));
}
