using System.Collections.Concurrent;
using Microsoft.Playwright;

namespace Serving.Page.Tests;

/// <summary>A tab on the page, which notes everything that must not happen: errors of scripts, and requests to anybody else.</summary>
internal sealed class Tab : IAsyncDisposable
{
    private readonly ConcurrentQueue<string> _faults = [];

    public Tab(IPage page, Uri address)
    {
        (Page, Address) = (page, address);
        page.SetDefaultTimeout(60_000);
        page.Console += (_, message) =>
        {
            if (message.Type == "error") _faults.Enqueue($"console: {message.Text}");
        };
        page.PageError += (_, error) => _faults.Enqueue($"script: {error}");
        page.Request += (_, request) =>
        {
            if (!request.Url.StartsWith(address.ToString(), StringComparison.Ordinal) && !request.Url.StartsWith("data:", StringComparison.Ordinal))
                _faults.Enqueue($"request: {request.Url}");
        };
        page.Dialog += (_, dialog) =>
        {
            _faults.Enqueue($"dialog: {dialog.Message}");
            _ = dialog.DismissAsync();
        };
    }

    public IPage Page { get; }

    public Uri Address { get; }

    /// <summary>What went wrong so far.</summary>
    public IReadOnlyCollection<string> Faults => _faults;

    /// <summary>Shows a view and waits until it stands.</summary>
    /// <param name="view">As <c>play?prompt=a</c>.</param>
    public async Task GoAsync(string view)
    {
        await Page.GotoAsync($"{Address}#/{view}");
        await Page.Locator($".view.{view.Split('?')[0]}").WaitForAsync();
    }

    public async ValueTask DisposeAsync() => await Page.Context.CloseAsync();
}
