using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Playwright;

namespace Serving.Page.Tests;

/// <summary>Every view, as it is used, in wide and narrow windows, light and dark: nothing breaks, everybody can read it.</summary>
public sealed class ViewTests(Chromium chromium)
{
    /// <summary>Where to keep pictures of the views, for people to look at; unset = nowhere.</summary>
    private static readonly string? Pictures = Environment.GetEnvironmentVariable("SERVING_PAGE_PICTURES");

    /// <summary>As the server's metrics are written.</summary>
    private const string Metrics = """
        # TYPE vllm:num_requests_running gauge
        vllm:num_requests_running{model_name="glyph-en"} 3
        vllm:num_requests_running{model_name="glyph-ru"} 2
        vllm:num_requests_waiting{model_name="glyph-en"} 1
        # TYPE vllm:generation_tokens_total counter
        vllm:generation_tokens_total{model_name="glyph-en"} 4100
        # TYPE serving_weights_shared_bytes gauge
        serving_weights_shared_bytes 59848704
        """;

    public static TheoryData<string, int, bool> Views()
    {
        var data = new TheoryData<string, int, bool>();
        foreach (string view in (string[])["play", "compare", "ensemble", "glyphs", "server"])
        {
            data.Add(view, 1280, false);
            data.Add(view, 320, true);
        }

        data.Add("glyphs", 1600, true);
        return data;
    }

    [Theory]
    [MemberData(nameof(Views))]
    public async Task View_InUse_HasNoFaultFitsAndIsAccessible(string view, int width, bool isDark)
    {
        await using Tab tab = await chromium.OpenAsync(width, 900, isDark);
        await tab.Page.RouteAsync("**/metrics", route => route.FulfillAsync(new() { ContentType = "text/plain", Body = Metrics }));
        await tab.GoAsync(view);
        await UseAsync(tab.Page, view);

        if (Pictures is not null)
            await tab.Page.ScreenshotAsync(new() { Path = Path.Combine(Pictures, $"{view}-{width}{(isDark ? "-dark" : "")}.png"), FullPage = true });
        Assert.Empty(tab.Faults);
        Assert.True(await tab.Page.EvaluateAsync<bool>("document.documentElement.scrollWidth <= innerWidth"), "The page is wider than the window.");
        Assert.Empty(await SeriousViolationsAsync(tab.Page));
    }

    [Fact]
    public async Task Server_Metrics_AreSummedOverModels()
    {
        await using Tab tab = await chromium.OpenAsync();
        await tab.Page.RouteAsync("**/metrics", route => route.FulfillAsync(new() { ContentType = "text/plain", Body = Metrics }));
        await tab.GoAsync("server");
        await tab.Page.GetByText("5 requests").WaitForAsync();
        await tab.Page.GetByText("1 waiting").WaitForAsync();
        await tab.Page.GetByText(new Regex("59.8 MB are saved")).WaitForAsync();
    }

    [Fact]
    public async Task Page_AllOfIt_IsSmallAndItsPolicyStrict()
    {
        _ = await chromium.OpenAsync(); // skips without a browser, as the others
        long bytes = 0;
        foreach (string path in typeof(Server.Hosting.ServerApplication).Assembly.GetManifestResourceNames().Where(name => name.StartsWith("page/", StringComparison.Ordinal)))
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, path == "page/index.html" ? "/" : $"/{path}");
            request.Headers.Add("Accept-Encoding", "br");
            using HttpResponseMessage response = await chromium.Server.Client.SendAsync(request);
            bytes += (await response.Content.ReadAsByteArrayAsync()).Length;
            string policy = response.Headers.GetValues("Content-Security-Policy").Single();
            Assert.Contains("default-src 'none'", policy);
            Assert.Contains("require-trusted-types-for 'script'", policy);
            Assert.DoesNotContain("unsafe", policy);
        }

        Assert.InRange(bytes, 10_000, 300_000);
    }

    [Fact]
    public async Task Page_SeenBefore_IsNotSentAgain()
    {
        _ = await chromium.OpenAsync();
        using HttpResponseMessage first = await chromium.Server.Client.GetAsync("/page/app.js");
        using var request = new HttpRequestMessage(HttpMethod.Get, "/page/app.js");
        request.Headers.IfNoneMatch.Add(first.Headers.ETag!);
        using HttpResponseMessage second = await chromium.Server.Client.SendAsync(request);
        Assert.Equal(System.Net.HttpStatusCode.NotModified, second.StatusCode);
    }

    private static async Task UseAsync(IPage page, string view)
    {
        switch (view)
        {
            case "play":
                await page.GetByRole(AriaRole.Button, new() { Name = "Write", Exact = true }).ClickAsync();
                await page.GetByText("length reached").WaitForAsync();
                await page.Locator(".token").Nth(30).HoverAsync();
                break;
            case "compare":
                await page.GetByRole(AriaRole.Button, new() { Name = "Write side by side" }).ClickAsync();
                await page.Locator(".token-table [data-figure=KL][data-value]").Last.WaitForAsync();
                await page.GetByRole(AriaRole.Button, new() { Name = "Score the text" }).ClickAsync();
                await page.Locator(".score").First.WaitForAsync();
                await page.Locator(".token").Nth(5).HoverAsync();
                break;
            case "ensemble":
                await page.GetByRole(AriaRole.Button, new() { Name = "Record" }).ClickAsync();
                await page.Locator(".step-detail .bars").First.WaitForAsync();
                break;
            case "glyphs":
                await page.Locator(".map").WaitForAsync();
                await page.GetByRole(AriaRole.Button, new() { Name = "Compare others with this token" }).ClickAsync();
                await page.Locator(".sprite").First.ClickAsync();
                await page.GetByText("Cosine 0.").WaitForAsync();
                break;
            default:
                // What the server says of itself, so that the picture does not depend on what other tests do to it.
                await page.GetByText("tokens/s").WaitForAsync();
                break;
        }
    }

    private static async Task<string[]> SeriousViolationsAsync(IPage page)
    {
        await page.EvaluateAsync(await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "axe", "axe.min.js")));
        JsonElement found = await page.EvaluateAsync<JsonElement>("axe.run().then(result => result.violations)");
        return [.. found.EnumerateArray().Where(violation => violation.GetProperty("impact").GetString() is "serious" or "critical")
            .Select(violation => $"{violation.GetProperty("id")}: {violation.GetProperty("help")} {violation.GetProperty("nodes")[0].GetProperty("html")}")];
    }
}
