using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;
using Serving.Server.Access;
using Serving.Server.Hosting;
using Serving.Testing;

namespace Serving.Server.Tests.Access;

public sealed class ListenRuleTests
{
    [Theory]
    [InlineData("urls", "http://127.0.0.1:8080", true)]
    [InlineData("urls", "http://localhost:1;http://[::1]:2;http://127.3.3.3:4", true)]
    [InlineData("urls", "http://unix:/tmp/socket", true)]
    [InlineData("urls", "http://0.0.0.0:8080", false)]
    [InlineData("urls", "http://127.0.0.1:1;http://*:2", false)]
    [InlineData("urls", "http://+:80", false)]
    [InlineData("urls", "http://[::]:80", false)]
    [InlineData("urls", "http://192.168.1.4:80", false)]
    [InlineData("urls", "http://localhost.evil.org:80", false)]
    [InlineData("http_ports", "8080", false)]
    [InlineData("https_ports", "8080", false)]
    [InlineData("Kestrel:Endpoints:a:Url", "http://0.0.0.0:1", false)]
    [InlineData("Kestrel:Endpoints:a:Url", "http://localhost:1", true)]
    public void PublicAddresses_OfAConfiguration_AreThoseOthersReach(string key, string value, bool isLoopback)
    {
        IConfiguration configuration = new ConfigurationBuilder().AddInMemoryCollection([new(key, value)]).Build();
        Assert.Equal(isLoopback, !ListenRule.PublicAddresses(configuration).Any());
    }

    [Theory]
    [InlineData("Serving:AllowWithoutKey", "http://0.0.0.0:0")]
    [InlineData("Serving:Keys:0:Sha256", "http://127.0.0.1:0", "--Serving:Keys:0:Name=a", "--Serving:Keys:0:Sha256=abc")]
    [InlineData("Serving:Keys:0:Name is missing", "http://127.0.0.1:0", "--Serving:Keys:0:Scope=admin")]
    [InlineData("Serving:Keys:0:Scope must be \"inference\" or \"admin\"", "http://127.0.0.1:0", "--Serving:Keys:0:Scope=all")]
    [InlineData("Serving:Keys:0:RequestsPerMinute must be a whole number from 0", "http://127.0.0.1:0", "--Serving:Keys:0:RequestsPerMinute=-1")]
    [InlineData("Serving:Keys:0:Secret is not a setting", "http://127.0.0.1:0", "--Serving:Keys:0:Secret=x")]
    public void Build_OpenOrWrongKeys_StopsTheStartAndNamesTheSetting(string expected, string urls, params string[] settings)
    {
        OptionsValidationException fault = Assert.Throws<OptionsValidationException>(() => ServerApplication.Build(
            [$"--urls={urls}", $"--Serving:Models={TestData.Path("checkpoints")}", .. settings]));
        Assert.Contains(expected, string.Join('\n', fault.Failures));
    }

    [Theory]
    [InlineData("--Serving:AllowWithoutKey=true")]
    [InlineData("--Serving:Keys:0:Name=a", "--Serving:Keys:0:Sha256=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")]
    public async Task Build_OpenOnPurposeOrWithKeys_IsFine(params string[] settings) => await ServerApplication.Build(
        ["--urls=http://0.0.0.0:0", $"--Serving:Models={TestData.Path("checkpoints")}", .. settings]).DisposeAsync();
}
