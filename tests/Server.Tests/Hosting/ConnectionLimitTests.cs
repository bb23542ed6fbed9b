using Serving.Server.Hosting;

namespace Serving.Server.Tests.Hosting;

public sealed class ConnectionLimitTests
{
    [Theory]
    [InlineData("Limit                     Soft Limit           Hard Limit           Units\nMax open files            512                  4096                 files\n", 512L)]
    [InlineData("Max open files            unlimited            unlimited            files\n", null)]
    [InlineData("Max processes             512                  4096                 processes\n", null)]
    public void OpenFiles_OfTheKernelsText_IsTheLimitInForce(string limits, long? files) => Assert.Equal(files, ConnectionLimit.OpenFiles(limits));

    [Theory]
    [InlineData(1024, 1_048_576, 200, 1024)]
    [InlineData(1024, 512, 200, 184)]
    [InlineData(100, 512, 200, 100)]
    [InlineData(1024, 256, 200, 1)]
    public void AtMost_FewFiles_LeavesSomeForEverythingElse(int wanted, long files, int open, int expected) =>
        Assert.Equal(expected, ConnectionLimit.AtMost(wanted, files, open));
}
