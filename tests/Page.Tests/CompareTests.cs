using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Playwright;

namespace Serving.Page.Tests;

public sealed class CompareTests(Chromium chromium)
{
    [Fact]
    public async Task Write_SideBySide_MarksTheApisFirstDivergence()
    {
        await using Tab tab = await chromium.OpenAsync(1600);
        await tab.GoAsync("compare?model=glyph-en&model=babel&model=glyph-en%2Bglyph-ru&prompt=It+was+the&max_tokens=30&temperature=0.3&seed=3");
        await tab.Page.GetByRole(AriaRole.Button, new() { Name = "Write side by side" }).ClickAsync();
        await tab.Page.Locator("tbody tr").Nth(4).WaitForAsync();
        JsonElement expected = await PostAsync("""{"models": ["glyph-en", "babel", "glyph-en+glyph-ru"], "prompt": "It was the", "max_tokens": 30, "temperature": 0.3, "seed": 3}""");
        int divergence = expected.GetProperty("first_divergence").GetInt32();
        await tab.Page.GetByText($"They part at token {divergence + 1}.").WaitForAsync();
        for (int column = 0; column < 3; column++)
        {
            Assert.Equal(expected.GetProperty("models")[column].GetProperty("tokens").EnumerateArray().Select(token => token.GetString()),
                await tab.Page.Locator(".compare.columns section").Nth(column).Locator(".token").AllTextContentsAsync());
        }
        Assert.Empty(tab.Faults);
    }

    [Fact]
    public async Task Score_AText_ShowsTheApisLogprobs()
    {
        await using Tab tab = await chromium.OpenAsync();
        await tab.GoAsync("compare?model=glyph-en&model=glyph-ru&text=The+sea.+%D0%9C%D0%BE%D1%80%D0%B5.");
        await tab.Page.GetByRole(AriaRole.Button, new() { Name = "Score the text" }).ClickAsync();
        await tab.Page.Locator(".score").Nth(1).WaitForAsync();
        JsonElement models = (await PostAsync("""{"models": ["glyph-en", "glyph-ru"], "text": "The sea. Море."}""")).GetProperty("models");
        for (int m = 0; m < 2; m++)
        {
            ILocator bars = tab.Page.Locator(".score").Nth(m).Locator(".score-token");
            JsonElement logprobs = models[m].GetProperty("token_logprobs");
            Assert.Equal(logprobs.GetArrayLength(), await bars.CountAsync());
            for (int i = 1; i < logprobs.GetArrayLength(); i++)
                Assert.Equal(logprobs[i].GetDouble(), double.Parse((await bars.Nth(i).GetAttributeAsync("data-logprob"))!, CultureInfo.InvariantCulture), 1e-5);
        }
    }

    private async Task<JsonElement> PostAsync(string body)
    {
        using HttpResponseMessage response = await chromium.Server.Client.PostAsync("/v1/compare", new StringContent(body, System.Text.Encoding.UTF8, "application/json"));
        return await response.Content.ReadFromJsonAsync<JsonElement>();
    }
}
