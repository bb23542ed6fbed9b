using Microsoft.Extensions.Configuration;
using Serving.Server.Hosting;

namespace Serving.Server.Tests.Hosting;

public sealed class SettingsReaderTests
{
    [Theory]
    [InlineData("ShutdownSeconds", "-1", "0 to 3600")]
    [InlineData("ShutdownSeconds", "3601", "0 to 3600")]
    [InlineData("ShutdownSeconds", "soon", "0 to 3600")]
    [InlineData("KeepAliveSeconds", "16", "1 to 15")]
    [InlineData("WriteTimeoutSeconds", "0", "1 to 300")]
    [InlineData("HeaderSeconds", "11", "1 to 10")]
    [InlineData("MaxBodyBytes", "1", "1024 to 1073741824")]
    [InlineData("MaxBodyBytes", "99999999999999", "1024 to 1073741824")]
    [InlineData("MaxChoices", "0", "1 to 4096")]
    [InlineData("Swagger", "yes", "true or false")]
    [InlineData("Queue:MaxRequests", "0", "1 to 100000")]
    [InlineData("Queue:MaxTokens", "1.5", "1 to 100000000")]
    [InlineData("Batch:MaxRunning", "", "1 to 4096")]
    [InlineData("Batch:ReusePrefixes", "1", "true or false")]
    public void Bind_WrongValue_NamesKeyRangeAndValue(string key, string value, string range)
    {
        string problem = Assert.Single(Bind(new() { [$"Serving:{key}"] = value }, out _));
        Assert.StartsWith($"Serving:{key} must be", problem, StringComparison.Ordinal);
        Assert.Contains(range, problem);
        Assert.Contains($"'{value}'", problem);
    }

    [Theory]
    [InlineData("ShutdownSecond")]
    [InlineData("Queue:Requests")]
    public void Bind_UnknownKey_IsRefused(string key)
    {
        Assert.StartsWith($"Serving:{key} is not a setting.", Assert.Single(Bind(new() { [$"Serving:{key}"] = "1" }, out _)), StringComparison.Ordinal);
    }

    [Fact]
    public void Bind_SeveralProblems_TellsAll() =>
        Assert.Equal(3, Bind(new() { ["Serving:Foo"] = "1", ["Serving:MaxChoices"] = "x", ["Serving:Queue:MaxTokens"] = "0" }, out _).Count);

    [Fact]
    public void Bind_GoodValues_AreSet()
    {
        Assert.Empty(Bind(new() { ["serving:shutdownseconds"] = "5", ["Serving:Queue:MaxRequests"] = "9", ["Serving:Swagger"] = "false" }, out ServingOptions options));
        Assert.Equal((5, 9, false), (options.ShutdownSeconds, options.Queue.MaxRequests, options.Swagger));
    }

    private static IReadOnlyList<string> Bind(Dictionary<string, string?> settings, out ServingOptions options)
    {
        options = new ServingOptions();
        IConfiguration configuration = new ConfigurationBuilder().AddInMemoryCollection(settings).Build();
        return SettingsReader.Bind(configuration.GetSection(ServingOptions.Section), options);
    }
}
