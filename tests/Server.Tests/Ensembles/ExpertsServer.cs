using Serving.Server.Tests.Hosting;

namespace Serving.Server.Tests.Ensembles;

/// <summary>One server with experts and named ensembles for all tests of a class.</summary>
public sealed class ExpertsServer : IAsyncLifetime
{
    private readonly ExpertsFolder _folder = ExpertsFolder.Create().WithEnsembles("""
        {
          "both": {"experts": [{"model": "a", "weight": 2}, {"model": "b", "weight": 2}]},
          "mostly-b": {"experts": [{"model": "a"}, {"model": "b", "weight": 3}], "combine": "probs"},
          "incomplete": {"experts": [{"model": "a"}, {"model": "absent"}], "combine": "logits"},
          "mixed": {"experts": [{"model": "a"}, {"model": "stranger"}]}
        }
        """);

    internal RunningServer Server { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Server = await RunningServer.StartAsync(null, _folder.Setting);

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        _folder.Dispose();
    }
}
