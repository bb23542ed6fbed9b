using System.Security.Cryptography;
using System.Text;
using Microsoft.Playwright;

namespace Serving.Page.Tests;

/// <summary>A server that wants keys: the page asks for one, keeps it for the tab, and never shows it.</summary>
public sealed class KeyTests(Chromium chromium)
{
    private const string Key = "sk-of-the-page";

    [Fact]
    public async Task Page_ServerWithKeys_AsksForOneAndWorksWithIt()
    {
        await (await chromium.OpenAsync()).DisposeAsync(); // skips without a browser, before a server is started
        await using PageServer server = await PageServer.StartAsync(settings:
            ["--Serving:Keys:0:Name=tester", $"--Serving:Keys:0:Sha256={Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Key)))}"]);
        await using Tab tab = await chromium.OpenAsync(server: server);
        await tab.Page.GotoAsync($"{tab.Address}#/play?model=glyph-en&prompt=The&max_tokens=5&seed=1");
        ILocator field = tab.Page.GetByLabel("This server wants an API key");
        await field.FillAsync("sk-wrong");
        await field.PressAsync("Enter");
        await tab.Page.GetByText("The key was not accepted").WaitForAsync();
        await field.FillAsync(Key);
        await field.PressAsync("Enter");
        await tab.Page.GetByRole(AriaRole.Button, new() { Name = "Write", Exact = true }).ClickAsync();
        await tab.Page.GetByText("length reached").WaitForAsync();
        Assert.Equal(5, await tab.Page.Locator(".token").CountAsync());
        Assert.False(await field.IsVisibleAsync());

        Assert.Equal(Key, await tab.Page.EvaluateAsync<string>("sessionStorage.getItem('key')"));
        Assert.DoesNotContain(Key, await tab.Page.EvaluateAsync<string>("JSON.stringify(localStorage) + document.cookie + location.href + document.documentElement.outerHTML"));
        Assert.Contains("$SERVING_API_KEY", await tab.Page.Locator(".code pre").TextContentAsync());
        Assert.DoesNotContain(tab.Faults, fault => !fault.Contains("401", StringComparison.Ordinal)); // the browser notes the answers itself

        await tab.GoAsync("server");
        await tab.Page.GetByText("tokens/s").WaitForAsync();
        await tab.Page.GetByRole(AriaRole.Button, new() { Name = "Forget the key" }).ClickAsync();
        await field.WaitForAsync();
        Assert.Null(await tab.Page.EvaluateAsync<string?>("sessionStorage.getItem('key')"));
    }
}
