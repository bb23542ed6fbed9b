using Microsoft.Playwright;
using Serving.Glyphs.Tokens;
using Serving.Server.Models;
using Serving.Server.Tests.Hosting;
using Serving.Testing;

namespace Serving.Page.Tests;

/// <summary>A model whose name and tokens are markup, and which computes a step only when the test lets it.</summary>
public sealed class HostileModelTests(Chromium chromium) : IAsyncDisposable
{
    private const string Name = "<svg onload=alert(1)>";
    private const string Token = "<img src=x onerror=alert(2)>";
    private const string Link = "javascript:alert(3)";

    private readonly string _folder = Directory.CreateTempSubdirectory("serving-hostile-").FullName;
    private readonly GatedBackend _backend = new();
    private PageServer? _server;

    public async ValueTask DisposeAsync()
    {
        _backend.Allow(100_000);
        if (_server is not null) await _server.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Write_MarkupAsTokens_IsShownAsTextAndNeverRun()
    {
        await using Tab tab = await OpenAsync($"play?prompt={Link}&max_tokens=4");
        _backend.Allow(4);
        await tab.Page.GetByRole(AriaRole.Button, new() { Name = "Write", Exact = true }).ClickAsync();
        await tab.Page.GetByText("length reached").WaitForAsync();
        Assert.Equal([Token, Token, Token, Token], await tab.Page.Locator(".token").AllTextContentsAsync());
        await tab.Page.Locator(".token").First.HoverAsync();
        await AssertHarmlessAsync(tab);
    }

    [Theory]
    [InlineData("glyphs?text=%2337")]
    [InlineData("glyphs?text=%2338")]
    [InlineData("compare")]
    [InlineData("server")]
    public async Task OtherViews_MarkupInNames_IsShownAsText(string view)
    {
        await using Tab tab = await OpenAsync(view);
        await tab.Page.Locator(view.StartsWith("glyphs", StringComparison.Ordinal) ? ".sprite" : view == "server" ? "tbody tr" : "select").First.WaitForAsync();
        await AssertHarmlessAsync(tab);
    }

    [Fact]
    public async Task Stop_WhileItWrites_FreesTheSlot()
    {
        await using Tab tab = await OpenAsync("play?prompt=a&max_tokens=500");
        await tab.Page.GetByRole(AriaRole.Button, new() { Name = "Write", Exact = true }).ClickAsync();
        _backend.Allow(5);
        await tab.Page.Locator(".token").Nth(4).WaitForAsync();
        Assert.Equal(1, _server!.Model(Name).Engine.Statistics.RunningRequests);

        await tab.Page.GetByRole(AriaRole.Button, new() { Name = "Stop" }).ClickAsync();
        await PageServer.UntilAsync(() =>
        {
            _backend.Allow(1); // steps that are under way when the news arrives
            return Task.FromResult(_server.Model(Name).Engine.Statistics is { RunningRequests: 0, KvBlocksUsed: 0 });
        });
        await tab.Page.GetByText("Stopped after").WaitForAsync();
        Assert.InRange(_server.Model(Name).Engine.Statistics.GeneratedTokens, 5, 400);
    }

    private async Task<Tab> OpenAsync(string view)
    {
        await (await chromium.OpenAsync()).DisposeAsync(); // skips without a browser, before a server is started
        string folder = Path.Combine(_folder, Name);
        Directory.CreateDirectory(folder);
        foreach (string file in Directory.EnumerateFiles(TestData.Path("checkpoints", "plain"))) File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        string tokenizer = Path.Combine(folder, "tokenizer.json");
        await File.WriteAllTextAsync(tokenizer, (await File.ReadAllTextAsync(tokenizer))
            .Replace("\"A\": ", $"\"{Token}\": ", StringComparison.Ordinal).Replace("\"B\": ", $"\"{Link}\": ", StringComparison.Ordinal));
        _server = await PageServer.StartAsync(_folder, load: (root, model, options) =>
        {
            ServedModel real = ServedModel.Load(root, model, options);
            return new ServedModel(Name, () => _backend, Tokenizer.Load(tokenizer), options)
            {
                Facts = real.Facts,
                Fingerprint = "fp_hostile",
                Table = real.Table,
                TableOrigin = real.TableOrigin,
            };
        });
        Tab tab = await chromium.OpenAsync(server: _server);
        await tab.GoAsync(view);
        return tab;
    }

    private static async Task AssertHarmlessAsync(Tab tab)
    {
        Assert.DoesNotContain(tab.Faults, fault => !fault.Contains("Failed to load resource", StringComparison.Ordinal));
        Assert.Equal(0, await tab.Page.EvaluateAsync<int>("document.querySelectorAll('main img, main svg, main script, main iframe, main a[href^=\"javascript\"]').length"));
    }
}
