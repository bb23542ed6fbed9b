using Serving.Glyphs.Tokens;
using Serving.Server.Models;
using Serving.Testing;

namespace Serving.Server.Tests.Hosting;

/// <summary>A server whose model "plain" computes step by step; the others are as in their files.</summary>
internal sealed class GatedServer : IAsyncDisposable
{
    private const int Plenty = 100_000;

    private GatedServer(RunningServer server, GatedBackend backend) => (Server, Backend) = (server, backend);

    public RunningServer Server { get; }

    public GatedBackend Backend { get; }

    public ServedModel Model => Server.Model("plain");

    public static async Task<GatedServer> StartAsync(params string[] settings)
    {
        var backend = new GatedBackend();
        RunningServer server = await RunningServer.StartAsync((root, folder, options) => folder.Id != "plain"
            ? ServedModel.Load(root, folder, options)
            : new ServedModel(folder.Id, () => backend, Tokenizer.Load(TestData.Path("checkpoints", "plain", "tokenizer.json")), options)
            {
                Facts = new ModelFacts(1, "float32", [], null),
                Fingerprint = "fp_gated",
            }, settings);
        return new GatedServer(server, backend);
    }

    /// <summary>Whether the engine has nothing to do and holds nothing.</summary>
    public bool IsIdle => Model.Engine.Statistics is { RunningRequests: 0, WaitingRequests: 0, KvBlocksUsed: 0 };

    public ValueTask DisposeAsync()
    {
        Backend.Allow(Plenty);
        return Server.DisposeAsync();
    }
}
