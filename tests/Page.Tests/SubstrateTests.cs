using System.Net.Http.Json;
using System.Text.Json;
using Serving.Testing;

namespace Serving.Page.Tests;

/// <summary>What the page says of models that read no pictures.</summary>
public sealed class SubstrateTests(Chromium chromium)
{
    [Theory]
    [InlineData("narrow", "a code of 16 zeros and ones")]
    [InlineData("tablefree", "This model has no table to look tokens up in.")]
    [InlineData("plain", "The rows are no pictures that this server knows.")]
    public async Task Glyphs_OfOtherTables_TellWhatTheModelReads(string model, string words)
    {
        await (await chromium.OpenAsync()).DisposeAsync(); // skips without a browser, before a server is started
        await using PageServer server = await PageServer.StartAsync(TestData.Path("checkpoints"));
        await using Tab tab = await chromium.OpenAsync(server: server);
        await tab.GoAsync($"glyphs?model={model}&text=%2344");
        await tab.Page.GetByText(words).WaitForAsync();
        await tab.Page.GetByText("What the model reads").Last.WaitForAsync();
        JsonElement vector = (await server.Client.GetFromJsonAsync<JsonElement>($"/v1/models/{model}/embeddings/44?vector=true")).GetProperty("vector");
        if (model == "plain") await tab.Page.GetByLabel("The 32 numbers of H").WaitForAsync();
        else Assert.Equal(string.Concat(vector.EnumerateArray().Select(bit => (int)bit.GetSingle())), await tab.Page.Locator(".bits").TextContentAsync());
        Assert.Equal(0, await tab.Page.GetByText("Drawn again").CountAsync());
        Assert.Empty(tab.Faults);
    }
}
