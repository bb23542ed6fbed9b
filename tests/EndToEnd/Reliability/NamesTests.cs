using System.Net;
using System.Text.Json;
using Serving.Testing;

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

    // The kernel's word for it: after the start nothing is opened but what the runtime reads of itself and of the machine.
    [Fact]
    public async Task Names_OfEveryKind_OpenNoFile()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/strace"), "strace is not installed.");
        string trace = Path.Combine(Directory.CreateTempSubdirectory("serving-strace-").FullName, "trace");
        // -D: the server is the child of the test, and strace looks on from aside; of calls alone, not of the signals by which the runtime stops threads.
        await using (ServerProcess traced = await ServerProcess.StartInAsync(TestData.Path("checkpoints"),
            ["strace", "-D", "-f", "-qq", "-o", trace, "-e", "signal=none", "-e", "trace=open,openat,openat2,creat,execve,chdir,readlink,unlink,rename,mkdir"], new Dictionary<string, string>()))
        {
            await AskEveryNameAsync(traced); // what is loaded only when it is first needed
            int before = (await File.ReadAllLinesAsync(trace)).Length;
            Assert.True(before > 100, "strace saw nothing.");
            await AskEveryNameAsync(traced);
            // A call that another thread interrupted has two lines, and the path is in the first. A method compiled anew may need one more assembly.
            string[] opened = [.. (await File.ReadAllLinesAsync(trace))[before..].Where(line => !line.Contains(" resumed>", StringComparison.Ordinal))];
            Assert.All(opened, line => Assert.Matches("\"(/proc/|/sys/|/dev/null|[^\"]*\\.(dll|so)\")", line));
            Assert.DoesNotContain(opened, line => line.Contains("environ", StringComparison.Ordinal) || line.Contains("passwd", StringComparison.Ordinal));
        }
        Directory.Delete(Path.GetDirectoryName(trace)!, recursive: true);
    }

    private static async Task AskEveryNameAsync(ServerProcess server)
    {
        foreach (string name in Names.Select(row => row.Data))
        {
            using var body = new StringContent(JsonSerializer.Serialize(new { model = name, prompt = "x" }), System.Text.Encoding.UTF8, "application/json");
            (await server.Client.PostAsync("/v1/completions", body)).Dispose();
            foreach (string path in (string[])["", "/load", "/embeddings", "/embeddings/lookup?text=x"])
            {
                using var request = new HttpRequestMessage(path == "/load" ? HttpMethod.Post : HttpMethod.Get, $"/v1/models/{Uri.EscapeDataString(name)}{path}");
                (await server.Client.SendAsync(request)).Dispose();
            }
        }
    }
}
