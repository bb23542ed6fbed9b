using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Playwright;

namespace Serving.Page.Tests;

public sealed class EnsembleTests(Chromium chromium)
{
    private const string Prompt = "She looked at the window and saw";

    [Theory]
    [InlineData("babel")]
    [InlineData("glyph-en+glyph-ru")]
    public async Task Mix_AsRecorded_ChoosesWhatTheServerChose(string ensemble)
    {
        await using Tab tab = await RecordAsync(ensemble);
        await tab.Page.GetByText("50 of 50").WaitForAsync();
        JsonElement written = await PostAsync("/v1/compare", $$"""{"models": ["{{ensemble}}", "glyph-en"], "prompt": "{{Prompt}}", "max_tokens": 50, "temperature": 0, "ignore_eos": true}""");
        Assert.Equal(written.GetProperty("models")[0].GetProperty("token_ids").EnumerateArray().Select(id => id.GetInt32()), await ChoicesAsync(tab));
        Assert.Empty(tab.Faults);
    }

    [Theory]
    [InlineData("logits")]
    [InlineData("probs")]
    public async Task Mix_Moved_ChoosesWhatTheServerWouldChooseAtEveryStep(string rule)
    {
        await using Tab tab = await RecordAsync("glyph-en+glyph-ru");
        int[] recorded = await ChoicesAsync(tab);
        int requests = 0;
        tab.Page.Request += (_, request) => requests += request.Url.Contains("/embeddings/", StringComparison.Ordinal) ? 0 : 1;
        await tab.Page.GetByLabel("Mean of").SelectOptionAsync(rule);
        await tab.Page.GetByRole(AriaRole.Slider, new() { Name = "glyph-ru" }).FillAsync("0.3");
        int[] moved = await ChoicesAsync(tab);
        Assert.Equal(0, requests);

        int[] prompt = await IdsAsync(Prompt);
        string prompts = string.Join(',', Enumerable.Range(0, 50).Select(step => $"[{string.Join(',', (int[])[.. prompt, .. recorded[..step]])}]"));
        JsonElement answer = await PostAsync("/v1/completions", $$$"""
            {"ensemble": {"experts": [{"model": "glyph-en", "weight": 1}, {"model": "glyph-ru", "weight": 0.3}], "combine": "{{{rule}}}"},
             "prompt": [{{{prompts}}}], "max_tokens": 1, "temperature": 0, "logprobs": 0, "ignore_eos": true}
            """);
        string[] expected = [.. answer.GetProperty("choices").EnumerateArray().Select(choice => choice.GetProperty("logprobs").GetProperty("tokens")[0].GetString()!)];
        string[] names = await Task.WhenAll(moved.Select(async id =>
            (await chromium.Server.Client.GetFromJsonAsync<JsonElement>($"/v1/models/glyph-en/embeddings/{id}")).GetProperty("text").GetString()!));
        Assert.Equal(expected, names);
        Assert.NotEqual(recorded, moved);
        Assert.Empty(tab.Faults);
    }

    [Fact]
    public async Task Step_OfAnExpert_ShowsItsOwnProbabilities()
    {
        await using Tab tab = await RecordAsync("glyph-en+glyph-ru");
        await tab.Page.Locator(".steps .token").First.ClickAsync();
        await tab.Page.GetByText("Step 1:").WaitForAsync();
        JsonElement top = (await PostAsync("/v1/completions", $$"""{"model": "glyph-ru", "prompt": "{{Prompt}}", "max_tokens": 1, "temperature": 0, "logprobs": 5}"""))
            .GetProperty("choices")[0].GetProperty("logprobs").GetProperty("top_logprobs")[0];
        double[] expected = [.. top.EnumerateObject().Select(each => Math.Exp(each.Value.GetDouble())).OrderDescending().Take(5)];
        ILocator bars = tab.Page.Locator(".step-detail section").Nth(1).Locator("li");
        for (int i = 0; i < 5; i++)
            Assert.Equal(expected[i], double.Parse((await bars.Nth(i).GetAttributeAsync("data-p"))!, CultureInfo.InvariantCulture), 1e-5);
    }

    [Fact]
    public async Task MakeReal_OneClick_DefinesTheEnsembleAndRecordsIt()
    {
        await using Tab tab = await RecordAsync("glyph-en+glyph-zh");
        await tab.Page.GetByRole(AriaRole.Slider, new() { Name = "glyph-zh" }).FillAsync("0.5");
        await tab.Page.GetByLabel("Name").FillAsync("half-zh");
        await tab.Page.GetByRole(AriaRole.Button, new() { Name = "Make this mix the real one" }).ClickAsync();
        await Assertions.Expect(tab.Page.GetByLabel("Ensemble")).ToHaveValueAsync("half-zh");
        await tab.Page.GetByText("50 of 50").WaitForAsync();
        JsonElement defined = (await chromium.Server.Client.GetFromJsonAsync<JsonElement>("/v1/ensembles")).GetProperty("data")
            .EnumerateArray().Single(ensemble => ensemble.GetProperty("name").GetString() == "half-zh");
        double[] weights = [.. defined.GetProperty("experts").EnumerateArray().Select(expert => expert.GetProperty("weight").GetDouble())];
        Assert.Equal(2, weights[0] / weights[1], 1e-9);
    }

    private async Task<Tab> RecordAsync(string ensemble)
    {
        Tab tab = await chromium.OpenAsync();
        await tab.GoAsync($"ensemble?model={Uri.EscapeDataString(ensemble)}&prompt={Uri.EscapeDataString(Prompt)}&steps=50");
        await tab.Page.GetByRole(AriaRole.Button, new() { Name = "Record" }).ClickAsync();
        await tab.Page.Locator(".step-detail .bars").First.WaitForAsync();
        return tab;
    }

    private static async Task<int[]> ChoicesAsync(Tab tab) =>
        await tab.Page.EvaluateAsync<int[]>("[...document.querySelectorAll('.steps .token')].map(token => Number(token.dataset.choice))");

    private async Task<int[]> IdsAsync(string text) =>
        [.. (await chromium.Server.Client.GetFromJsonAsync<JsonElement>($"/v1/models/glyph-en/embeddings/lookup?text={Uri.EscapeDataString(text)}"))
            .GetProperty("data").EnumerateArray().Select(token => token.GetProperty("id").GetInt32())];

    private async Task<JsonElement> PostAsync(string path, string body)
    {
        using HttpResponseMessage response = await chromium.Server.Client.PostAsync(path, new StringContent(body, System.Text.Encoding.UTF8, "application/json"));
        return await response.Content.ReadFromJsonAsync<JsonElement>();
    }
}
