using System.Net;
using Serving.Glyphs.Tokens;
using Serving.Server.Models;
using Serving.Server.Tests.Hosting;
using Serving.Testing;

namespace Serving.Server.Tests.Health;

public sealed class DeadEngineTests
{
    [Fact]
    public async Task Loop_Dies_ItsRequestsFailAndProbesSaySoAtOnceWhileOtherModelsAnswer()
    {
        var clock = new FatalClock();
        await using RunningServer server = await RunningServer.StartAsync((root, folder, options) => folder.Id != "plain"
            ? ServedModel.Load(root, folder, options)
            : new ServedModel(folder.Id, () => new GatedBackend(), Tokenizer.Load(TestData.Path("checkpoints", "plain", "tokenizer.json")), options, clock)
            {
                Facts = new ModelFacts(1, "float32", [], null),
                Fingerprint = "fp_gated",
            });
        Assert.Equal(HttpStatusCode.OK, (await server.Client.GetAsync("/health/live")).StatusCode);
        clock.BreakOnce();
        await RunningServer.UntilAsync(() => server.Model("plain").Engine.HasFailed);
        foreach (string probe in (string[])["/health/live", "/health/ready"])
            Assert.Equal(HttpStatusCode.ServiceUnavailable, (await server.Client.GetAsync(probe)).StatusCode);
        using HttpResponseMessage refused = await server.CompleteAsync("""{"model":"plain","prompt":"x"}""");
        Assert.Equal(HttpStatusCode.InternalServerError, refused.StatusCode);
        using HttpResponseMessage other = await server.CompleteAsync("""{"model":"interleaved","prompt":"x","max_tokens":2}""");
        Assert.Equal(HttpStatusCode.OK, other.StatusCode);
    }

    [Fact]
    public async Task Loop_Hangs_LivenessNoticesWithinFiveSecondsAndALongPassThatBeatsIsNoHang()
    {
        var clock = new ShiftedClock();
        var backend = new GatedBackend();
        await using RunningServer server = await RunningServer.StartAsync((root, folder, options) => folder.Id != "plain"
            ? ServedModel.Load(root, folder, options)
            : new ServedModel(folder.Id, () => backend, Tokenizer.Load(TestData.Path("checkpoints", "plain", "tokenizer.json")), options, clock)
            {
                Facts = new ModelFacts(1, "float32", [], null),
                Fingerprint = "fp_gated",
            });
        Task<HttpResponseMessage> running = server.CompleteAsync("""{"model":"plain","prompt":"x","max_tokens":1,"ignore_eos":true}""");
        await RunningServer.UntilAsync(() => server.Model("plain").Engine.Statistics.RunningRequests == 1);
        clock.Shift(TimeSpan.FromSeconds(5));
        foreach (string probe in (string[])["/health/live", "/health/ready"])
            Assert.Equal(HttpStatusCode.ServiceUnavailable, (await server.Client.GetAsync(probe)).StatusCode);
        backend.Beat();
        Assert.Equal(HttpStatusCode.OK, (await server.Client.GetAsync("/health/live")).StatusCode);
        backend.Allow(1);
        Assert.Equal(HttpStatusCode.OK, (await running).StatusCode);
    }

    /// <summary>The system's clock and some more.</summary>
    private sealed class ShiftedClock : TimeProvider
    {
        private long _shift;

        public void Shift(TimeSpan time) => Interlocked.Add(ref _shift, (long)(time.TotalSeconds * TimestampFrequency));

        public override long GetTimestamp() => base.GetTimestamp() + Volatile.Read(ref _shift);
    }

    /// <summary>A clock whose failure kills the engine's loop: nothing else of it can.</summary>
    private sealed class FatalClock : TimeProvider
    {
        private int _breaks;

        public void BreakOnce() => Volatile.Write(ref _breaks, 1);

        public override long GetTimestamp() => Thread.CurrentThread.Name == "engine loop" && Interlocked.Exchange(ref _breaks, 0) == 1
            ? throw new TimeoutException("the clock stands still")
            : base.GetTimestamp();
    }
}
