using System.Text;
using Serving.Client;
using Serving.Testing;

namespace Serving.Conformance;

/// <summary>The example in the C# client's README, as it stands there, run against the server.</summary>
[Collection(nameof(Target))]
public sealed class ReadmeTests(Target target)
{
    [Fact]
    public void Example_InTheReadme_IsTheOneThatRunsHere()
    {
        string readme = File.ReadAllText(Path.Combine(TestData.RepositoryRoot, "clients", "csharp", "README.md"));
        string source = File.ReadAllText(Path.Combine(TestData.RepositoryRoot, "tests", "Conformance", $"{nameof(ReadmeTests)}.cs"));
        // Behind the lines that make the client; here it is made for the server of the tests.
        string example = readme.Split("```csharp\n")[1].Split("```")[0].Split("8080\"));\n\n")[1];
        string here = source.Split("// from here\n")[1].Split("        // to here")[0];
        Assert.Equal(example.TrimEnd(), string.Join('\n', here.Split('\n').Select(line => line.Length > 8 ? line[8..] : "")).TrimEnd());
    }

    [Fact]
    public async Task Example_Run_PrintsTextsAndPictures()
    {
        Assert.SkipUnless(Target.Model == "glyph-en", "The example names the bundled models.");
        Console.Output.Clear();
        using var serving = new ServingClient(target.Root, Target.Key);
        // from here
        Completion answer = await serving.CompleteAsync(new CompletionRequest
        {
            Model = "glyph-en",
            Prompt = "The old house stood",
            MaxTokens = 24,
            Temperature = 0.7,
            Seed = 1,
        });
        Console.WriteLine(answer.Choices[0].Text);

        // Piece by piece, from two experts averaged.
        await foreach (Completion piece in serving.StreamAsync(new CompletionRequest { Model = "glyph-en+glyph-ru", Prompt = "It was", MaxTokens = 24 }))
            Console.Write(piece.Choices is [var choice] ? choice.Text : "");

        // The same prompt to several models; and how likely each finds a text.
        GeneratedComparison written = await serving.CompareAsync(new CompareRequest { Models = ["glyph-en", "glyph-ru"], Prompt = "It was" });
        ScoredComparison scored = await serving.ScoreAsync(["glyph-en", "babel"], "It was a dark night", leaveOneOut: true);

        // What a model reads: the picture behind a token.
        foreach (TokenDescription token in await serving.LookUpAsync("glyph-en", "house"))
            Console.WriteLine(string.Join('\n', token.Glyph!.Rows));

        // Ensembles are made and re-weighed at run time (with an admin key, where there are keys).
        await serving.PutEnsembleAsync("mostly-en", new EnsembleDefinition([new("glyph-en", 3), new("glyph-ru", 1)]));
        // to here
        await serving.DeleteEnsembleAsync("mostly-en");
        Assert.Equal(24, answer.Usage!.CompletionTokens);
        Assert.Equal(["glyph-en", "glyph-ru"], written.Models.Select(entry => entry.Model));
        Assert.Equal(3, scored.Models[1].LeaveOneOut!.Count);
        string output = Console.Output.ToString();
        Assert.StartsWith(answer.Choices[0].Text, output, StringComparison.Ordinal);
        Assert.Contains("##", output);
    }

    // What the example calls Console is caught here.
    private static class Console
    {
        public static StringBuilder Output { get; } = new();

        public static void Write(string text) => Output.Append(text);

        public static void WriteLine(string text) => Output.AppendLine(text);
    }
}
