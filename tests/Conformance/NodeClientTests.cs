using System.Diagnostics;
using System.Text.RegularExpressions;
using Serving.Testing;

namespace Serving.Conformance;

/// <summary>The official npm client: the cases in <c>node/</c>, and the generated TypeScript client with its README's example.</summary>
[Collection(nameof(Target))]
public sealed partial class NodeClientTests(Target target)
{
    private const int FewestCases = 55;
    private const int FewestOwnCases = 9;

    [Fact]
    public async Task OpenAiNpmClient_EveryCase_Passes()
    {
        string folder = await InstalledAsync("tests", "Conformance", "node");
        (int exitCode, string output) = await RunAsync(folder, "node", "--test", "--test-reporter=tap");
        Assert.True(exitCode == 0, output);
        int passed = int.Parse(Passed().Match(output).Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture);
        Assert.True(passed >= FewestCases, output);
    }

    [Fact]
    public async Task TypeScriptClient_FromTheDocument_BuildsAndTalksToTheServer()
    {
        string folder = await InstalledAsync("clients", "typescript");
        foreach (string script in (string[])["build", "pretest"])
        {
            (int built, string errors) = await RunAsync(folder, "npm", "run", script);
            Assert.True(built == 0, errors);
        }
        (int exitCode, string output) = await RunAsync(folder, "node", "--test", "--test-reporter=tap", "build/test/");
        Assert.True(exitCode == 0, output);
        Assert.True(int.Parse(Passed().Match(output).Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture) >= FewestOwnCases, output);
    }

    // CI installs beforehand; whoever runs the tests by hand need not know.
    private async Task<string> InstalledAsync(params string[] parts)
    {
        string folder = Path.Combine([TestData.RepositoryRoot, .. parts]);
        if (!Directory.Exists(Path.Combine(folder, "node_modules")))
        {
            (int exitCode, string output) = await RunAsync(folder, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund");
            Assert.True(exitCode == 0, output);
        }
        return folder;
    }

    private async Task<(int ExitCode, string Output)> RunAsync(string folder, string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["CONFORMANCE_BASE_URL"] = target.Root.ToString();
        start.Environment["CONFORMANCE_MODEL"] = Target.Model;
        start.Environment["CONFORMANCE_API_KEY"] = Target.Key;
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, output + await errors);
    }

    [GeneratedRegex(@"^# pass (\d+)", RegexOptions.Multiline)]
    private static partial Regex Passed();
}
