using Microsoft.Playwright;
using Serving.Testing;

namespace Serving.Page.Tests;

public sealed class RestartTests(Chromium chromium)
{
    [Fact]
    public async Task Page_ServerRestarted_GoesOn()
    {
        await (await chromium.OpenAsync()).DisposeAsync();
        int port = FreeAddress.Next().Port;
        PageServer server = await PageServer.StartAsync(port: port);
        await using Tab tab = await chromium.OpenAsync(server: server);
        await tab.GoAsync("play?model=glyph-en&prompt=The&max_tokens=5&seed=1");
        ILocator write = tab.Page.GetByRole(AriaRole.Button, new() { Name = "Write", Exact = true });
        await server.DisposeAsync();

        await write.ClickAsync();
        await tab.Page.GetByRole(AriaRole.Alert).GetByText("cannot be reached").WaitForAsync();
        await tab.Page.GetByText("The server does not answer.").WaitForAsync();

        await using PageServer again = await PageServer.StartAsync(port: port);
        await tab.Page.GetByText("The server does not answer.").WaitForAsync(new() { State = WaitForSelectorState.Hidden });
        await write.ClickAsync();
        await tab.Page.GetByText("length reached").WaitForAsync();
        Assert.Equal(5, await tab.Page.Locator(".token").CountAsync());
    }
}
