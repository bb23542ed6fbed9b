using Microsoft.Playwright;
using Serving.Page.Tests;

[assembly: AssemblyFixture(typeof(Chromium))]

namespace Serving.Page.Tests;

/// <summary>A headless Chromium and a server for all tests. Where no Chromium is installed the tests are skipped.</summary>
public sealed class Chromium : IAsyncLifetime
{
    private static readonly string[] Places = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome", "/snap/bin/chromium"];

    // No sandbox, because containers have none to give; nothing that asks anybody else.
    private static readonly string[] Arguments =
    [
        "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync",
    ];

    private IPlaywright? _playwright;
    private IBrowser? _browser;
    private PageServer? _server;

    internal PageServer Server => _server ?? throw new InvalidOperationException("The tests need a browser.");

    public async ValueTask InitializeAsync()
    {
        if (Array.Find(Places, File.Exists) is not { } path) return;
        // Its usual five seconds are few on a busy machine.
        Assertions.SetDefaultExpectTimeout(60_000);
        _server = await PageServer.StartAsync();
        _playwright = await Playwright.CreateAsync();
        _browser = await _playwright.Chromium.LaunchAsync(new() { ExecutablePath = path, Headless = true, Args = Arguments });
    }

    public async ValueTask DisposeAsync()
    {
        if (_browser is not null) await _browser.DisposeAsync();
        _playwright?.Dispose();
        if (_server is not null) await _server.DisposeAsync();
    }

    /// <summary>Opens a tab of its own, with nothing kept from others.</summary>
    /// <param name="width">Of the window, in CSS pixels.</param>
    /// <param name="height">Of the window.</param>
    /// <param name="isDark">Whether the user prefers dark pages.</param>
    /// <param name="server">Whose page; null = that of all tests.</param>
    internal async Task<Tab> OpenAsync(int width = 1280, int height = 900, bool isDark = false, PageServer? server = null)
    {
        if (_browser is null) Assert.Skip($"No Chromium is installed: none of {string.Join(", ", Places)} exists.");
        IBrowserContext context = await _browser.NewContextAsync(new()
        {
            ViewportSize = new() { Width = width, Height = height },
            ColorScheme = isDark ? ColorScheme.Dark : ColorScheme.Light,
            ReducedMotion = ReducedMotion.Reduce,
        });
        return new Tab(await context.NewPageAsync(), (server ?? Server).Address);
    }
}
