using System.Net;
using System.Text.Json;

namespace Serving.EndToEnd.Reliability;

/// <summary>R40: names of models that are paths, devices or worse lead nowhere.</summary>
[Collection(nameof(SharedServer))]
public sealed class NamesTests(SharedServer server)
{
    public static TheoryData<string> Names =>
    [
        "../plain", "..", ".", "./plain", "plain/", "/plain", "plain/../plain", "..\\plain", "plain\\..\\plain", "/etc/passwd", "/dev/zero", "/proc/self/environ",
        "%2e%2e%2fplain", "..%2fplain", "plain%00", "plain\0", "plain\n", "PLAIN", " plain", "plain ", "C:\\plain", "\\\\host\\share", "con", "nul", "file:///etc/passwd",
        "http://127.0.0.1/plain", "plain;ls", "$(ls)", "`ls`", "plain+", "+plain", "plain++plain", "plain+../plain", "*", "?", "", "\u202eplain", "pl\u0430in", "plain.json",
        "config.json", "plain/config.json", "substrates", "ensembles.json", new string('a', 4096), string.Concat(Enumerable.Repeat("../", 100)) + "etc/passwd",
    ];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Model_NameOfNoModel_IsNotFound(string name)
    {
        using HttpResponseMessage response = await server.PostAsync("/v1/completions", JsonSerializer.Serialize(new { model = name, prompt = "x" }));
        string text = await response.Content.ReadAsStringAsync();
        Assert.Equal(name.Length == 0 ? HttpStatusCode.BadRequest : HttpStatusCode.NotFound, response.StatusCode);
        Assert.Contains(name.Length == 0 ? "invalid_value" : "model_not_found", text);
        Assert.True(text.Length < 1000, text);
        Assert.DoesNotContain("root:", text);

        if (name.Length == 0 || name is "." or "..")
            return;
        using HttpResponseMessage looked = await server.Client.GetAsync("/v1/models/" + Uri.EscapeDataString(name));
        Assert.True(looked.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.BadRequest, await looked.Content.ReadAsStringAsync());
    }
}
