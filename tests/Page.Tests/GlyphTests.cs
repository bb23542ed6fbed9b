using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Playwright;

namespace Serving.Page.Tests;

public sealed class GlyphTests(Chromium chromium)
{
    [Theory]
    [InlineData("Ж", "CYRILLIC CAPITAL LETTER ZHE")]
    [InlineData("U+0416", "CYRILLIC CAPITAL LETTER ZHE")]
    [InlineData("u+9605", "CJK UNIFIED IDEOGRAPH-9605")]
    public async Task Search_TextOrCodePoint_OpensTheToken(string search, string name)
    {
        await using Tab tab = await chromium.OpenAsync();
        await tab.GoAsync("glyphs");
        await tab.Page.GetByLabel("Type anything").FillAsync(search);
        await tab.Page.GetByText(name).WaitForAsync();
        Assert.Empty(tab.Faults);
    }

    [Fact]
    public async Task Search_Number_ShowsTheApisNeighbours()
    {
        await using Tab tab = await chromium.OpenAsync();
        await tab.GoAsync("glyphs?model=glyph-ru&text=%23120");
        await tab.Page.Locator(".sprite[data-cosine]").Nth(9).WaitForAsync();
        JsonElement neighbors = (await chromium.Server.Client.GetFromJsonAsync<JsonElement>("/v1/models/glyph-ru/embeddings/120?neighbors=10")).GetProperty("neighbors");
        ILocator shown = tab.Page.Locator(".sprite[data-cosine]");
        for (int i = 0; i < 10; i++)
        {
            Assert.Equal(neighbors[i].GetProperty("id").GetInt32().ToString(CultureInfo.InvariantCulture), await shown.Nth(i).GetAttributeAsync("data-id"));
            Assert.Equal(neighbors[i].GetProperty("cosine").GetDouble(), double.Parse((await shown.Nth(i).GetAttributeAsync("data-cosine"))!, CultureInfo.InvariantCulture), 1e-5);
        }
    }

    [Fact]
    public async Task Token_InOtherModels_IsLookedUpInEach()
    {
        await using Tab tab = await chromium.OpenAsync();
        await tab.GoAsync("glyphs?text=%D0%96");
        ILocator rows = tab.Page.GetByRole(AriaRole.Region, new() { Name = "The same text in every model" }).Locator("tbody tr");
        await rows.First.WaitForAsync();
        JsonElement models = (await chromium.Server.Client.GetFromJsonAsync<JsonElement>("/v1/models")).GetProperty("data");
        string[] expected = [.. await Task.WhenAll(models.EnumerateArray().Where(model => model.GetProperty("kind").GetString() == "model").Select(async model =>
        {
            JsonElement token = (await chromium.Server.Client.GetFromJsonAsync<JsonElement>($"/v1/models/{model.GetProperty("id").GetString()}/embeddings/lookup?text=%D0%96")).GetProperty("data")[0];
            return $"{model.GetProperty("id").GetString()}this table#{token.GetProperty("id").GetInt32()}";
        }))];
        Assert.Equal(expected, await rows.AllTextContentsAsync());
    }

    [Fact]
    public async Task Picture_ReadByTheBrowser_IsTheGlyph()
    {
        await using Tab tab = await chromium.OpenAsync();
        await tab.GoAsync("glyphs");
        JsonElement glyph = (await chromium.Server.Client.GetFromJsonAsync<JsonElement>("/v1/models/glyph-en/embeddings/120")).GetProperty("glyph");
        string drawn = await tab.Page.EvaluateAsync<string>("""
            async () => {
              const bitmap = await createImageBitmap(await (await fetch("/v1/models/glyph-en/embeddings/120/glyph.png?scale=1")).blob());
              const context = new OffscreenCanvas(32, 32).getContext("2d");
              context.drawImage(bitmap, 0, 0);
              const data = context.getImageData(0, 0, 32, 32).data;
              return Array.from({ length: 1024 }, (_, i) => data[4 * i] === 0 ? "#" : ".").join("");
            }
            """);
        Assert.Equal(string.Concat(glyph.GetProperty("rows").EnumerateArray().Select(row => row.GetString())), drawn);
    }

    [Fact]
    public async Task Slider_FewerNumbers_RebuildsLessOfThePicture()
    {
        await using Tab tab = await chromium.OpenAsync();
        await tab.GoAsync("glyphs?text=%D0%96");
        await tab.Page.GetByText("256 of 256: 0 of 1024 pixels wrong").WaitForAsync();
        await tab.Page.GetByLabel("Numbers kept").FillAsync("8");
        await tab.Page.GetByText("8 of 256:").WaitForAsync();
        Assert.Empty(tab.Faults);
    }

    [Fact]
    public async Task Keyboard_Alone_WalksTheStripAndTheMap()
    {
        await using Tab tab = await chromium.OpenAsync();
        await tab.GoAsync("glyphs?text=%D0%96A");
        await tab.Page.Locator(".map").WaitForAsync();
        await tab.Page.Locator(".tile").First.FocusAsync();
        await tab.Page.Keyboard.PressAsync("ArrowRight");
        await tab.Page.Keyboard.PressAsync("Enter");
        await tab.Page.GetByText("LATIN CAPITAL LETTER A", new() { Exact = true }).WaitForAsync();
        await tab.Page.Locator(".map").FocusAsync();
        await tab.Page.Keyboard.PressAsync("ArrowRight");
        await tab.Page.Keyboard.PressAsync("Enter");
        await tab.Page.GetByText("LATIN CAPITAL LETTER B", new() { Exact = true }).WaitForAsync();
    }
}
