using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Playwright;

namespace Serving.Page.Tests;

public sealed class PlayTests(Chromium chromium)
{
    [Fact]
    public async Task Write_SameSeed_ShowsTheApisTokensAndProbabilities()
    {
        await using Tab tab = await chromium.OpenAsync();
        await tab.GoAsync("play?model=glyph-en&prompt=The+old+house+stood&max_tokens=40&temperature=0.7&seed=5");
        await WriteAsync(tab.Page);
        JsonElement logprobs = (await CompleteAsync("""{"model": "glyph-en", "prompt": "The old house stood", "max_tokens": 40, "temperature": 0.7, "seed": 5, "logprobs": 10}"""))
            .GetProperty("choices")[0].GetProperty("logprobs");
        ILocator tokens = tab.Page.Locator(".token");

        Assert.Equal(logprobs.GetProperty("tokens").EnumerateArray().Select(token => token.GetString()), await tokens.AllTextContentsAsync());
        for (int i = 0; i < 40; i++)
            Assert.Equal(logprobs.GetProperty("token_logprobs")[i].GetDouble(), Number(await tokens.Nth(i).GetAttributeAsync("data-logprob")), 1e-5);
        await tokens.Nth(7).HoverAsync();
        double[] shown = await tab.Page.EvaluateAsync<double[]>("[...document.querySelectorAll('.inspector li')].map(bar => Number(bar.dataset.p))");
        double[] expected = [.. logprobs.GetProperty("top_logprobs")[7].EnumerateObject().Select(top => Math.Exp(top.Value.GetDouble())).OrderDescending()];
        Assert.Equal(expected.Length, shown.Length);
        for (int i = 0; i < shown.Length; i++) Assert.Equal(expected[i], shown[i], 1e-5);
        Assert.Empty(tab.Faults);
    }

    [Fact]
    public async Task Address_Reloaded_ShowsTheSameSettings()
    {
        await using Tab tab = await chromium.OpenAsync();
        await tab.GoAsync("play");
        await tab.Page.GetByLabel("Prompt").FillAsync("B & C = <b>?");
        await tab.Page.GetByLabel("Model or ensemble").SelectOptionAsync("babel");
        await tab.Page.GetByLabel("Temperature").FillAsync("0.35");
        await tab.Page.ReloadAsync();
        Assert.Equal("B & C = <b>?", await tab.Page.GetByLabel("Prompt").InputValueAsync());
        Assert.Equal("babel", await tab.Page.GetByLabel("Model or ensemble").InputValueAsync());
        Assert.Equal("0.35", await tab.Page.GetByLabel("Temperature").InputValueAsync());
        Assert.Contains("\"prompt\":\"B & C = <b>?\"", await tab.Page.Locator(".code pre").TextContentAsync());
    }

    [Fact]
    public async Task Keyboard_Alone_WritesAndReadsTokens()
    {
        await using Tab tab = await chromium.OpenAsync();
        await tab.GoAsync("play?model=glyph-en&max_tokens=12&seed=1");
        await tab.Page.GetByLabel("Prompt").FocusAsync();
        await tab.Page.Keyboard.PressAsync("Control+Enter");
        await tab.Page.GetByText("length reached").WaitForAsync();
        await tab.Page.Locator(".token").First.FocusAsync();
        await tab.Page.Keyboard.PressAsync("ArrowRight");
        await tab.Page.Keyboard.PressAsync("ArrowRight");
        Assert.Equal("true", await tab.Page.Locator(".token").Nth(2).GetAttributeAsync("aria-selected"));
        Assert.InRange(await tab.Page.Locator(".inspector li").CountAsync(), 10, 11);
    }

    [Fact]
    public async Task BadSettings_AreToldAsText()
    {
        await using Tab tab = await chromium.OpenAsync();
        await tab.GoAsync("play?model=<img src=x onerror=alert(1)>&prompt=a");
        await tab.Page.GetByRole(AriaRole.Button, new() { Name = "Write", Exact = true }).ClickAsync();
        await tab.Page.GetByRole(AriaRole.Alert).GetByText("The model '<img src=x onerror=alert(1)>' does not exist.").WaitForAsync();
        Assert.DoesNotContain(tab.Faults, fault => !fault.Contains("404", StringComparison.Ordinal)); // the browser notes the answer itself
    }

    // Quotes of every kind, what shells and templates read, line ends, other scripts.
    [Fact]
    public async Task Curl_PastedIntoAShell_AnswersAsThePageDoes()
    {
        if (!OperatingSystem.IsLinux() || !File.Exists("/usr/bin/curl")) Assert.Skip("There is no curl to paste into.");
        await using Tab tab = await chromium.OpenAsync();
        const string Prompt = "It's \"so\" {a} \\ `id` $HOME ${x} !\n\tтак <b>&amp;</b> 話";
        await tab.GoAsync($"play?model=glyph-en&max_tokens=8&seed=3&top_k=20&prompt={Uri.EscapeDataString(Prompt)}");
        await WriteAsync(tab.Page);
        string written = string.Concat(await tab.Page.Locator(".token").AllTextContentsAsync());
        using var shell = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", $"{await tab.Page.Locator(".code pre").TextContentAsync()} --silent"]) { RedirectStandardOutput = true })!;
        JsonElement answer = JsonDocument.Parse(await shell.StandardOutput.ReadToEndAsync()).RootElement;
        Assert.Equal(written, answer.GetProperty("choices")[0].GetProperty("text").GetString());
    }

    private static async Task WriteAsync(IPage page)
    {
        await page.GetByRole(AriaRole.Button, new() { Name = "Write", Exact = true }).ClickAsync();
        await page.GetByText("length reached").WaitForAsync();
    }

    private async Task<JsonElement> CompleteAsync(string body)
    {
        using HttpResponseMessage response = await chromium.Server.Client.PostAsync("/v1/completions", new StringContent(body, System.Text.Encoding.UTF8, "application/json"));
        return await response.Content.ReadFromJsonAsync<JsonElement>();
    }

    private static double Number(string? text) => double.Parse(text!, CultureInfo.InvariantCulture);
}
