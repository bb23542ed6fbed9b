using System.Globalization;
using System.Net.Http.Json;
using System.Runtime.InteropServices;
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
        JsonElement expected = await PostAsync("/v1/compare", """{"models": ["glyph-en", "babel", "glyph-en+glyph-ru"], "prompt": "It was the", "max_tokens": 30, "temperature": 0.3, "seed": 3}""");
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
    public async Task TokenTable_OfModelsAndEnsembles_ShowsWhatTheApisLogitsSay()
    {
        string[] models = ["glyph-en", "glyph-ru", "babel"];
        string[][] members = [["glyph-en"], ["glyph-ru"], ["glyph-en", "glyph-ru", "glyph-zh"]];
        await using Tab tab = await chromium.OpenAsync(1600);
        await tab.GoAsync($"compare?{string.Join('&', models.Select(model => $"model={model}"))}&prompt=It+was+the&max_tokens=20&temperature=0.9&seed=3");
        await tab.Page.GetByRole(AriaRole.Button, new() { Name = "Write side by side" }).ClickAsync();
        await tab.Page.Locator(".token-table tbody tr").Nth(19).Locator("[data-figure=KL][data-value]").Nth(1).WaitForAsync();
        JsonElement written = (await PostAsync("/v1/compare", """{"models": ["glyph-en", "glyph-ru", "babel"], "prompt": "It was the", "max_tokens": 20, "temperature": 0.9, "seed": 3}""")).GetProperty("models");
        int[] prompt = Ids(await PostAsync("/tokenize", """{"model": "glyph-en", "prompt": "It was the"}"""), "tokens");
        for (int m = 0; m < models.Length; m++)
        {
            int[] text = [.. prompt, .. Ids(written[m], "token_ids")];
            double[][] own = await DistributionsAsync(members[m], text, 20), first = await DistributionsAsync(["glyph-en"], text, 20);
            double[] entropies = await FiguresAsync(tab, "entropy", m), distances = m == 0 ? [] : await FiguresAsync(tab, "KL", m - 1), chances = await FiguresAsync(tab, "p", m);
            for (int i = 0; i < 20; i++)
            {
                Assert.Equal(Math.Exp(written[m].GetProperty("token_logprobs")[i].GetDouble()), chances[i], 1e-5);
                Assert.Equal(own[i].Sum(log => -Math.Exp(log) * log), entropies[i], 1e-5);
                if (m > 0) Assert.Equal(own[i].Zip(first[i], (p, q) => Math.Exp(p) * (p - q)).Sum(), distances[i], 1e-5);
            }
        }

        int divergence = await tab.Page.EvaluateAsync<int>("[...document.querySelectorAll('.token-table tbody tr')].findIndex(row => row.className === 'parting')");
        Assert.Equal(0, divergence);
        Assert.Empty(tab.Faults);
    }

    [Fact]
    public async Task Score_AText_ShowsTheApisLogprobs()
    {
        await using Tab tab = await chromium.OpenAsync();
        await tab.GoAsync("compare?model=glyph-en&model=glyph-ru&text=The+sea.+%D0%9C%D0%BE%D1%80%D0%B5.");
        await tab.Page.GetByRole(AriaRole.Button, new() { Name = "Score the text" }).ClickAsync();
        await tab.Page.Locator(".score").Nth(1).WaitForAsync();
        JsonElement models = (await PostAsync("/v1/compare", """{"models": ["glyph-en", "glyph-ru"], "text": "The sea. Море."}""")).GetProperty("models");
        for (int m = 0; m < 2; m++)
        {
            ILocator bars = tab.Page.Locator(".score").Nth(m).Locator(".score-token");
            JsonElement logprobs = models[m].GetProperty("token_logprobs");
            Assert.Equal(logprobs.GetArrayLength(), await bars.CountAsync());
            for (int i = 1; i < logprobs.GetArrayLength(); i++)
                Assert.Equal(logprobs[i].GetDouble(), double.Parse((await bars.Nth(i).GetAttributeAsync("data-logprob"))!, CultureInfo.InvariantCulture), 1e-5);
        }
    }

    /// <summary>A figure of each token in a column's group; values that have none do not count.</summary>
    private static async Task<double[]> FiguresAsync(Tab tab, string figure, int group) => await tab.Page.EvaluateAsync<double[]>(
        $"[...document.querySelectorAll('.token-table tbody tr')].map(row => Number(row.querySelectorAll('[data-figure={figure}][data-value]')[{group}].dataset.value))");

    /// <summary>The logarithms of what experts' mean logits say before each of a text's last tokens.</summary>
    private async Task<double[][]> DistributionsAsync(string[] members, int[] text, int last)
    {
        var sum = new double[last][];
        foreach (string member in members)
        {
            JsonElement answer = await PostAsync($"/v1/models/{member}/logits", $$"""{"tokens": [{{string.Join(',', text.SkipLast(1))}}], "last": {{last}}}""");
            float[] logits = MemoryMarshal.Cast<byte, float>(answer.GetProperty("data").GetBytesFromBase64()).ToArray();
            int vocabulary = answer.GetProperty("vocab_size").GetInt32();
            for (int row = 0; row < last; row++)
            {
                sum[row] ??= new double[vocabulary];
                for (int i = 0; i < vocabulary; i++) sum[row][i] += logits[(row * vocabulary) + i] / (double)members.Length;
            }
        }

        return [.. sum.Select(row =>
        {
            double most = row.Max(), total = most + Math.Log(row.Sum(value => Math.Exp(value - most)));
            return row.Select(value => value - total).ToArray();
        })];
    }

    private static int[] Ids(JsonElement answer, string name) => [.. answer.GetProperty(name).EnumerateArray().Select(id => id.GetInt32())];

    private async Task<JsonElement> PostAsync(string path, string body)
    {
        using HttpResponseMessage response = await chromium.Server.Client.PostAsync(path, new StringContent(body, System.Text.Encoding.UTF8, "application/json"));
        return await response.Content.ReadFromJsonAsync<JsonElement>();
    }
}
