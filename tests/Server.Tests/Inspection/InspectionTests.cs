using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Serving.Server.Tests.Hosting;
using Serving.Testing;

namespace Serving.Server.Tests.Inspection;

/// <summary>The inspection of the bundled experts' table, and of the small checkpoints' tables of other kinds.</summary>
public sealed class InspectionTests(InspectedServers servers) : IClassFixture<InspectedServers>
{
    private const string En = "/v1/models/glyph-en/embeddings";

    [Fact]
    public async Task Table_OfBundledExpert_IsGlyphAndShared()
    {
        JsonElement table = await BundledAsync(En);
        Assert.Equal(("glyph", "glyph-256", true, true), (Text(table, "source"), Text(table, "recipe"), table.GetProperty("frozen").GetBoolean(), table.GetProperty("unit_norm").GetBoolean()));
        Assert.Equal((8192, 256), (table.GetProperty("rows").GetInt32(), table.GetProperty("dimensions").GetInt32()));
        Assert.Equal(["glyph-en-1", "glyph-en-2", "glyph-en-3", "glyph-en-4", "glyph-ru", "glyph-zh"], table.GetProperty("shared_with").EnumerateArray().Select(id => id.GetString()));
        Assert.Equal(8192 * 256 * 4, table.GetProperty("bytes").GetInt64());
        Assert.Equal(6 * 8192 * 256 * 4, table.GetProperty("bytes_saved").GetInt64());
        Assert.True(table.GetProperty("duplicate_rows").GetInt32() > 0);
    }

    [Theory]
    [InlineData("plain", "float", true)]
    [InlineData("tablefree", "none", true)]
    public async Task Table_OfOtherKinds_SaysWhatItIs(string model, string source, bool frozen)
    {
        JsonElement table = await SmallAsync($"/v1/models/{model}/embeddings");
        Assert.Equal((source, frozen), (Text(table, "source"), table.GetProperty("frozen").GetBoolean()));
        JsonElement token = await SmallAsync($"/v1/models/{model}/embeddings/37?vector=true&neighbors=3");
        Assert.Equal(table.GetProperty("dimensions").GetInt32(), token.GetProperty("vector").GetArrayLength());
        Assert.Equal(3, token.GetProperty("neighbors").GetArrayLength());
        Assert.Equal("A", Text(token, "text"));
        using HttpResponseMessage rebuilt = await servers.Small.Client.GetAsync($"/v1/models/{model}/embeddings/37/rebuilt");
        Assert.Equal(HttpStatusCode.NotFound, rebuilt.StatusCode);
    }

    // The two read equal codes, which are in memory once.
    [Fact]
    public async Task Table_OfCodesStoredAndComputed_AreToldApart()
    {
        JsonElement stored = await SmallAsync("/v1/models/narrow/embeddings"), computed = await SmallAsync("/v1/models/tablefree/embeddings");
        Assert.Equal(("binary", "none"), (Text(stored, "source"), Text(computed, "source")));
        Assert.Equal(JsonValueKind.Null, computed.GetProperty("fingerprint").ValueKind);
        Assert.All([stored, computed], table => Assert.Empty(table.GetProperty("shared_with").EnumerateArray()));
    }

    [Fact]
    public async Task Token_OfTableWithoutTable_HasTheDigitsOfItsId()
    {
        JsonElement token = await SmallAsync("/v1/models/tablefree/embeddings/37?vector=true");
        Assert.Equal("0000000000100101", string.Concat(token.GetProperty("vector").EnumerateArray().Select(bit => (int)bit.GetDouble())));
    }

    [Fact]
    public async Task Token_Character_IsNamedDrawnAndCompared()
    {
        JsonElement token = (await BundledAsync($"{En}/lookup?text=%D0%96&neighbors=5")).GetProperty("data")[0];
        Assert.Equal(("Ж", "character"), (Text(token, "text"), Text(token, "kind")));
        Assert.Equal("U+0416", token.GetProperty("code_points")[0].GetString());
        Assert.Equal("CYRILLIC CAPITAL LETTER ZHE", token.GetProperty("names")[0].GetString());
        Assert.Equal("Cyrillic", token.GetProperty("blocks")[0].GetString());
        Assert.Equal(1, token.GetProperty("norm").GetDouble(), 1e-5);
        JsonElement glyph = token.GetProperty("glyph");
        Assert.Equal(32, glyph.GetProperty("rows").GetArrayLength());
        Assert.All(glyph.GetProperty("rows").EnumerateArray(), row => Assert.Matches("^[#.]{32}$", row.GetString()));
        Assert.All(token.GetProperty("neighbors").EnumerateArray(), one => Assert.InRange(one.GetProperty("cosine").GetDouble(), 0.3, 1));
        Assert.False(token.TryGetProperty("vector", out _));
        Assert.False((await BundledAsync($"{En}/lookup?text=%D0%96&glyphs=false")).GetProperty("data")[0].TryGetProperty("glyph", out _));
    }

    [Fact]
    public async Task Token_SamePictureInTwoScripts_IsIdentical()
    {
        JsonElement data = (await BundledAsync($"{En}/lookup?text=A%D0%90")).GetProperty("data");
        (int latin, int cyrillic) = (data[0].GetProperty("id").GetInt32(), data[1].GetProperty("id").GetInt32());
        Assert.NotEqual(latin, cyrillic);
        Assert.Contains(cyrillic, data[0].GetProperty("identical").EnumerateArray().Select(id => id.GetInt32()));
        Assert.Equal(data[0].GetProperty("identical").GetArrayLength(), data[0].GetProperty("identical_count").GetInt32());
        JsonElement matrix = (await PostAsync(servers.Bundled, $"{En}/similarity", $$"""{"tokens": [{{latin}}, {{cyrillic}}]}""")).GetProperty("matrix");
        Assert.Equal(1, matrix[0][1].GetDouble(), 1e-6);
    }

    [Fact]
    public async Task Token_SpecialOne_IsSpecial()
    {
        JsonElement token = await BundledAsync($"{En}/0");
        Assert.Equal("special", Text(token, "kind"));
    }

    [Fact]
    public async Task Neighbors_OfAToken_AreTheSimilarityMatrixs()
    {
        JsonElement token = await BundledAsync($"{En}/100?neighbors=6");
        int[] ids = [100, .. token.GetProperty("neighbors").EnumerateArray().Select(one => one.GetProperty("id").GetInt32())];
        JsonElement matrix = (await PostAsync(servers.Bundled, $"{En}/similarity", $$"""{"tokens": [{{string.Join(',', ids)}}]}""")).GetProperty("matrix");
        for (int i = 0; i < 6; i++)
            Assert.Equal(matrix[0][i + 1].GetDouble(), token.GetProperty("neighbors")[i].GetProperty("cosine").GetDouble(), 1e-6);
    }

    [Fact]
    public async Task Rebuilt_SingleCharacter_IsThePicture()
    {
        JsonElement rebuilt = await BundledAsync($"{En}/lookup?text=%D0%96");
        int id = rebuilt.GetProperty("data")[0].GetProperty("id").GetInt32();
        rebuilt = await BundledAsync($"{En}/{id}/rebuilt");
        Assert.Equal(0, rebuilt.GetProperty("wrong_pixels").GetInt32());
        double[] errors = [.. rebuilt.GetProperty("errors").EnumerateArray().Select(value => value.GetDouble())];
        Assert.Equal(257, errors.Length);
        Assert.True(errors[256] < errors[16] && errors[16] < errors[0]);
        JsonElement few = await BundledAsync($"{En}/{id}/rebuilt?components=16");
        Assert.True(few.GetProperty("wrong_pixels").GetInt32() > 10);
        Assert.Equal(1024, few.GetProperty("pixels").GetArrayLength());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    public async Task Picture_Decoded_IsTheGlyphScaled(int scale)
    {
        JsonElement token = (await BundledAsync($"{En}/lookup?text=%D0%96")).GetProperty("data")[0];
        using HttpResponseMessage response = await servers.Bundled.Client.GetAsync($"{En}/{token.GetProperty("id").GetInt32()}/glyph.png?scale={scale}");
        Assert.Equal("image/png", response.Content.Headers.ContentType!.MediaType);
        Assert.NotNull(response.Headers.ETag);
        bool[,] ink = PngReader.Read(await response.Content.ReadAsByteArrayAsync());
        Assert.Equal((32 * scale, 32 * scale), (ink.GetLength(0), ink.GetLength(1)));
        string[] rows = [.. token.GetProperty("glyph").GetProperty("rows").EnumerateArray().Select(row => row.GetString()!)];
        for (int y = 0; y < ink.GetLength(0); y++)
        {
            for (int x = 0; x < ink.GetLength(1); x++) Assert.Equal(rows[y / scale][x / scale] == '#', ink[y, x]);
        }
    }

    [Fact]
    public async Task Map_OfAText_PlacesItsTokens()
    {
        JsonElement map = await BundledAsync($"{En}/map?text=AAbc%D0%90");
        Assert.Equal(["A", "b", "c", "А"], map.GetProperty("points").EnumerateArray().Select(point => Text(point, "text")));
        JsonElement[] points = [.. map.GetProperty("points").EnumerateArray()];
        Assert.Equal(points[0].GetProperty("x").GetDouble(), points[3].GetProperty("x").GetDouble(), 1e-6);
        Assert.Equal(256, (await BundledAsync($"{En}/map")).GetProperty("points").GetArrayLength());
    }

    [Fact]
    public async Task Similarity_OfTexts_ComparesTheirMeans()
    {
        JsonElement answer = await PostAsync(servers.Bundled, $"{En}/similarity", """{"texts": ["qж", "жq", "zz"]}""");
        Assert.Equal(1, answer.GetProperty("matrix")[0][1].GetDouble(), 1e-6);
        Assert.True(answer.GetProperty("matrix")[0][2].GetDouble() < 0.999);
        Assert.Equal(3, answer.GetProperty("items").GetArrayLength());
    }

    [Theory]
    [InlineData("/v1/models/nobody/embeddings", 404, "model_not_found", "model")]
    [InlineData("/v1/models/glyph-en+glyph-ru/embeddings", 400, "invalid_value", "id")]
    [InlineData("/v1/models/glyph-en/embeddings/8192", 404, "not_found", "token")]
    [InlineData("/v1/models/glyph-en/embeddings/-1", 404, "not_found", "token")]
    [InlineData("/v1/models/glyph-en/embeddings/Z", 404, "not_found", null)]
    [InlineData("/v1/models/glyph-en/embeddings/5?neighbors=101", 400, "invalid_value", "neighbors")]
    [InlineData("/v1/models/glyph-en/embeddings/5?neighbors=many", 400, "invalid_value", "neighbors")]
    [InlineData("/v1/models/glyph-en/embeddings/5?vector=perhaps", 400, "invalid_value", "vector")]
    [InlineData("/v1/models/glyph-en/embeddings/5/glyph.png?scale=33", 400, "invalid_value", "scale")]
    [InlineData("/v1/models/glyph-en/embeddings/5/rebuilt?components=257", 400, "invalid_value", "components")]
    [InlineData("/v1/models/glyph-en/embeddings/lookup", 400, "invalid_value", "text")]
    [InlineData("/v1/models/glyph-en/embeddings/map?tokens=1,x", 400, "invalid_value", "tokens")]
    [InlineData("/v1/models/glyph-en/embeddings/map?tokens=1", 400, "invalid_value", "tokens")]
    [InlineData("/v1/models/glyph-en/embeddings/map?tokens=1,2&text=a", 400, "invalid_value", "text")]
    public async Task Get_BadRequest_SaysWhat(string path, int status, string code, string? param)
    {
        using HttpResponseMessage response = await servers.Bundled.Client.GetAsync(path);
        JsonElement error = (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("error");
        Assert.Equal((status, code, param), ((int)response.StatusCode, error.GetProperty("code").GetString(), error.GetProperty("param").GetString()));
    }

    [Theory]
    [InlineData("{}", "texts")]
    [InlineData("""{"texts": ["a"], "tokens": [1]}""", "texts")]
    [InlineData("""{"texts": []}""", "texts")]
    [InlineData("""{"tokens": [1, 9999]}""", "tokens[1]")]
    [InlineData("""{"texts": ["a", ""]}""", "texts[1]")]
    public async Task Similarity_BadRequest_SaysWhat(string body, string param)
    {
        JsonElement answer = await PostAsync(servers.Bundled, $"{En}/similarity", body);
        Assert.Equal(param, answer.GetProperty("error").GetProperty("param").GetString());
    }

    private Task<JsonElement> BundledAsync(string path) => servers.Bundled.Client.GetFromJsonAsync<JsonElement>(path);

    private Task<JsonElement> SmallAsync(string path) => servers.Small.Client.GetFromJsonAsync<JsonElement>(path);

    private static async Task<JsonElement> PostAsync(RunningServer server, string path, string body)
    {
        using HttpResponseMessage response = await server.Client.PostAsync(path, new StringContent(body, System.Text.Encoding.UTF8, "application/json"));
        return await response.Content.ReadFromJsonAsync<JsonElement>();
    }

    private static string? Text(JsonElement element, string name) => element.GetProperty(name).GetString();
}

/// <summary>A server with the bundled experts and one with the small checkpoints.</summary>
public sealed class InspectedServers : IAsyncLifetime
{
    internal RunningServer Bundled { get; private set; } = null!;

    internal RunningServer Small { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Bundled = await RunningServer.StartAsync(null, $"Models={Path.Combine(TestData.RepositoryRoot, "models")}");
        Small = await RunningServer.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await Bundled.DisposeAsync();
        await Small.DisposeAsync();
    }
}
