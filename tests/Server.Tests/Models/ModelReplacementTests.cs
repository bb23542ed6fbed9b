using System.Net;
using System.Text.Json;
using Serving.Inference.Checkpoints;
using Serving.Server.Tests.Ensembles;
using Serving.Server.Tests.Hosting;
using Serving.Testing;

namespace Serving.Server.Tests.Models;

public sealed class ModelReplacementTests : IDisposable
{
    private const string Golden = """{"model":"a","prompt":"Hello","max_tokens":12,"temperature":0,"ignore_eos":true}""";
    private const string Sum = """{"model":"a+b","prompt":"Hello","max_tokens":12,"temperature":0,"ignore_eos":true}""";

    private readonly ExpertsFolder _folder = ExpertsFolder.Create();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Load_ChangedFiles_AnswersFromThenOnAreOfTheNewVersionAndSayso()
    {
        await using RunningServer server = await RunningServer.StartAsync(null, _folder.Setting);
        JsonElement before = await server.CompleteJsonAsync(Golden), sumBefore = await server.CompleteJsonAsync(Sum);
        Become("interleaved");
        JsonElement loaded = await PostAsync(server, "a/load", HttpStatusCode.OK);
        JsonElement after = await server.CompleteJsonAsync(Golden), sumAfter = await server.CompleteJsonAsync(Sum);
        Assert.NotEqual(Fingerprint(before), Fingerprint(after));
        Assert.NotEqual(Fingerprint(sumBefore), Fingerprint(sumAfter));
        Assert.Equal(Fingerprint(after), loaded.GetProperty("system_fingerprint").GetString());
        JsonElement twin = await server.CompleteJsonAsync(Golden.Replace("\"a\"", "\"b\"", StringComparison.Ordinal));
        Assert.Equal(Text(twin), Text(after));
        Assert.Equal(Text(twin), Text(sumAfter));
    }

    [Fact]
    public async Task Load_BrokenFiles_SaysWhyAndTheOldVersionGoesOn()
    {
        await using RunningServer server = await RunningServer.StartAsync(null, _folder.Setting);
        JsonElement before = await server.CompleteJsonAsync(Golden);
        File.WriteAllText(_folder.File("a", "model.safetensors"), "not a tensor");
        JsonElement refused = await PostAsync(server, "a/load", HttpStatusCode.ServiceUnavailable);
        string message = refused.GetProperty("error").GetProperty("message").GetString()!;
        Assert.Contains("goes on answering", message);
        Assert.DoesNotContain(_folder.Path, message);
        Assert.Equal(Text(before), Text(await server.CompleteJsonAsync(Golden)));
    }

    // What 'convert' wrote holds fingerprints, so that damage is seen that makes no file unreadable.
    [Fact]
    public async Task Load_OneBitOfTheWeightsFlipped_IsRefusedAndTheOldVersionGoesOn()
    {
        string weights = _folder.File("a", "model.safetensors");
        ModelsRoot root = ModelsRoot.Scan(_folder.Path);
        using (LoadedModel model = LoadedModel.Load(root, root.Models.Single(model => model.Id == "a")))
        {
            string clean = Path.Combine(_folder.Path, "clean");
            CleanCheckpoint.Write(model, clean);
            File.Move(Path.Combine(clean, "model.safetensors"), weights, overwrite: true);
            Directory.Delete(clean, recursive: true);
        }

        await using RunningServer server = await RunningServer.StartAsync(null, _folder.Setting);
        JsonElement before = await server.CompleteJsonAsync(Golden);
        byte[] bytes = File.ReadAllBytes(weights);
        bytes[^100] ^= 4;
        File.WriteAllBytes(weights, bytes);
        JsonElement refused = await PostAsync(server, "a/load", HttpStatusCode.ServiceUnavailable);
        Assert.Contains("tensor 'lm_head.bias'", refused.GetProperty("error").GetProperty("message").GetString());
        Assert.Equal(Text(before), Text(await server.CompleteJsonAsync(Golden)));
    }

    [Fact]
    public async Task Unload_RequestAtWork_FinishesWholeWhileNewOnesAreRefused()
    {
        await using GatedServer gated = await GatedServer.StartAsync();
        Task<HttpResponseMessage> running = gated.Server.CompleteAsync("""{"model":"plain","prompt":"x","max_tokens":5,"ignore_eos":true,"temperature":0}""");
        await RunningServer.UntilAsync(() => gated.Model.Engine.Statistics.RunningRequests == 1);
        Task<HttpResponseMessage> unloading = gated.Server.Client.PostAsync("/v1/models/plain/unload", null);
        await RunningServer.UntilAsync(async () => (await gated.Server.Client.GetStringAsync("/v1/models/plain")).Contains("unloaded", StringComparison.Ordinal));
        using HttpResponseMessage refused = await gated.Server.CompleteAsync("""{"model":"plain","prompt":"x"}""");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.False(unloading.IsCompleted);
        gated.Backend.Allow(10);
        using HttpResponseMessage finished = await running;
        JsonElement answer = JsonElement.Parse(await finished.Content.ReadAsStringAsync());
        Assert.Equal("AAAAA", Text(answer));
        Assert.Equal(HttpStatusCode.OK, (await unloading).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await gated.Server.Client.GetAsync("/health/ready")).StatusCode);
    }

    [Fact]
    public async Task Unload_ThenLoad_BringsItBackAndEnsemblesNeverAverageLess()
    {
        await using RunningServer server = await RunningServer.StartAsync(null, _folder.Setting);
        JsonElement before = await server.CompleteJsonAsync(Sum);
        await PostAsync(server, "b/unload", HttpStatusCode.OK);
        JsonElement refused = await server.CompleteJsonAsync(Sum);
        Assert.Equal("member_unavailable", refused.GetProperty("error").GetProperty("code").GetString());
        await PostAsync(server, "b/load", HttpStatusCode.OK);
        JsonElement after = await server.CompleteJsonAsync(Sum);
        Assert.Equal(Text(before), Text(after));
        Assert.Equal(Fingerprint(before), Fingerprint(after));
    }

    [Fact]
    public async Task Load_TwentyTimesUnderLoad_FailsNoRequest()
    {
        await using RunningServer server = await RunningServer.StartAsync(null, _folder.Setting);
        string expected = Text(await server.CompleteJsonAsync(Golden)), expectedSum = Text(await server.CompleteJsonAsync(Sum));
        using var over = new CancellationTokenSource();
        Task<int>[] clients = [.. Enumerable.Range(0, 4).Select(i => Task.Run(() => CompleteUntilAsync(
            server, i % 2 == 0 ? Golden : Sum, i % 2 == 0 ? expected : expectedSum, over.Token)))];
        for (int cycle = 0; cycle < 20; cycle++)
            await PostAsync(server, cycle % 2 == 0 ? "a/load" : "b/load", HttpStatusCode.OK);
        await over.CancelAsync();
        Assert.All(await Task.WhenAll(clients), count => Assert.True(count > 0));
    }

    [Theory]
    [InlineData("nobody/load")]
    [InlineData("nobody/unload")]
    public async Task Change_UnknownModel_Is404(string path)
    {
        await using RunningServer server = await RunningServer.StartAsync(null, _folder.Setting);
        await PostAsync(server, path, HttpStatusCode.NotFound);
    }

    private static async Task<int> CompleteUntilAsync(RunningServer server, string body, string expected, CancellationToken over)
    {
        int count = 0;
        for (; !over.IsCancellationRequested; count++)
            Assert.Equal(expected, Text(await server.CompleteJsonAsync(body)));
        return count;
    }

    private void Become(string checkpoint)
    {
        foreach (string file in Directory.EnumerateFiles(TestData.Path("checkpoints", checkpoint)))
            File.Copy(file, _folder.File("a", Path.GetFileName(file)), overwrite: true);
    }

    private static async Task<JsonElement> PostAsync(RunningServer server, string path, HttpStatusCode expected)
    {
        using HttpResponseMessage response = await server.Client.PostAsync($"/v1/models/{path}", null);
        string body = await response.Content.ReadAsStringAsync();
        Assert.True(expected == response.StatusCode, body);
        return JsonDocument.Parse(body).RootElement;
    }

    private static string? Fingerprint(JsonElement answer) => answer.GetProperty("system_fingerprint").GetString();

    private static string Text(JsonElement answer) => answer.GetProperty("choices")[0].GetProperty("text").GetString()!;
}
