using System.Diagnostics;
using System.Text.Json;
using Serving.Testing;

namespace Serving.EndToEnd;

public sealed class CommandLineTests
{
    private static readonly string Checkpoints = TestData.Path("checkpoints");

    [Fact]
    public async Task Generate_SameSeed_WritesTheSameTextAndNothingElse()
    {
        string[] arguments = ["generate", "--models", Checkpoints, "--model", "plain", "--seed", "3", "--max-tokens", "12", "--echo", "Hello"];
        (int exitCode, string text, string errors) = await ServerProcess.RunAsync(arguments);
        Assert.Equal(0, exitCode);
        Assert.Equal("", errors);
        Assert.StartsWith("Hello", text, StringComparison.Ordinal);
        Assert.True(text.Length > "Hello".Length);
        Assert.Equal(text, (await ServerProcess.RunAsync(arguments)).Output);
    }

    [Fact]
    public async Task Generate_UnknownModel_Exits4AndListsTheOthers()
    {
        (int exitCode, string output, string errors) = await ServerProcess.RunAsync("generate", "--models", Checkpoints, "--model", "nobody", "x");
        Assert.Equal(4, exitCode);
        Assert.Equal("", output);
        Assert.Contains("plain", errors);
    }

    [Fact]
    public async Task Generate_BrokenModel_Exits3WithThreeLines()
    {
        using var copies = new CheckpointCopies();
        copies.AddTruncated("plain", "broken");
        (int exitCode, _, string errors) = await ServerProcess.RunAsync("generate", "--models", copies.Path, "x");
        Assert.Equal(3, exitCode);
        AssertThreeLines(errors);
        Assert.Contains("model.safetensors", errors);
    }

    [Fact]
    public async Task Generate_Interrupted_Exits130()
    {
        using var copies = new CheckpointCopies();
        copies.AddEndless("endless");
        using Process program = Process.Start(ServerProcess.StartInfo("generate", "--models", copies.Path, "--max-tokens", "110000", "--temperature", "0", "x"))!;
        Assert.Equal(1, await program.StandardOutput.ReadAsync(new char[1]));
        await ServerProcess.SignalAsync(program, "INT");
        // The text does not fit the pipe, so the program cannot have finished before the signal came.
        Task<string> text = program.StandardOutput.ReadToEndAsync();
        string errors = await program.StandardError.ReadToEndAsync();
        await text;
        await program.WaitForExitAsync();
        Assert.Equal(130, program.ExitCode);
        Assert.Equal("", errors);
    }

    [Theory]
    [InlineData("pickle", "pytorch_model.bin")]
    [InlineData("table", "normalized_embeddings_weights.pt")]
    [InlineData("tablefree", "the digits of the token id")]
    public async Task Inspect_GoldenModel_TellsOnOneScreen(string model, string table)
    {
        (int exitCode, string text, string errors) = await ServerProcess.RunAsync("inspect", Path.Combine(Checkpoints, model));
        Assert.Equal((0, ""), (exitCode, errors));
        Assert.Contains("blocks      2, width 32, 2 heads of 16, MLP 128", text);
        Assert.Contains(table, text);
        Assert.Contains("lm_head.weight", text);
        Assert.InRange(text.Split('\n').Length, 20, 40);
    }

    [Fact]
    public async Task Inspect_Json_IsOneObjectOfFacts()
    {
        (int exitCode, string text, _) = await ServerProcess.RunAsync("inspect", "--json", Path.Combine(Checkpoints, "table"));
        Assert.Equal(0, exitCode);
        using JsonDocument json = JsonDocument.Parse(text);
        JsonElement root = json.RootElement;
        Assert.Equal(16, root.GetProperty("architecture").GetProperty("head_size").GetInt32());
        Assert.Equal("normalized_embeddings_weights.pt", root.GetProperty("table").GetProperty("file").GetString());
        Assert.Equal(256, root.GetProperty("tokenizer").GetProperty("vocabulary_size").GetInt32());
        // Two layers of keys and values, two heads of 16 float32, 16 tokens.
        Assert.Equal(2 * 2 * 2 * 16 * 4 * 16, root.GetProperty("memory").GetProperty("kv_block").GetInt64());
        Assert.Equal(0, root.GetProperty("tensors").GetProperty("missing").GetArrayLength());
    }

    [Fact]
    public async Task Inspect_BrokenModel_Exits3WithThreeLines()
    {
        using var copies = new CheckpointCopies();
        copies.AddTruncated("plain", "broken");
        (int exitCode, _, string errors) = await ServerProcess.RunAsync("inspect", Path.Combine(copies.Path, "broken"));
        Assert.Equal(3, exitCode);
        AssertThreeLines(errors);
    }

    [Fact]
    public async Task Serve_OnlyBrokenModels_Exits3()
    {
        using var copies = new CheckpointCopies();
        copies.AddTruncated("plain", "broken");
        (int exitCode, _, string errors) = await ServerProcess.RunAsync("serve", "--models", copies.Path, "--urls", "http://127.0.0.1:0");
        Assert.Equal(3, exitCode);
        AssertThreeLines(errors);
    }

    [Fact]
    public async Task Serve_AddressInUse_Exits5()
    {
        await using ServerProcess first = await ServerProcess.StartAsync(Checkpoints);
        (int exitCode, _, string errors) = await ServerProcess.RunAsync("serve", "--models", Checkpoints, "--urls", first.Client.BaseAddress!.ToString());
        Assert.Equal(5, exitCode);
        AssertThreeLines(errors);
    }

    [Theory]
    [InlineData(4, "serve", "--models", "/nowhere/at/all")]
    [InlineData(4, "generate", "--models", "/nowhere/at/all", "x")]
    [InlineData(4, "inspect", "/nowhere/at/all")]
    [InlineData(2, "inspect")]
    [InlineData(2, "serve", "--Serving:ShutdownSeconds=never")]
    [InlineData(2, "serve", "--Serving:Nonsense=1")]
    [InlineData(2, "serve", "--nonsense")]
    [InlineData(2, "--nonsense")]
    [InlineData(2, "nonsense")]
    [InlineData(2, "generate", "--max-tokens", "0", "x")]
    [InlineData(2, "generate", "--seed", "often", "x")]
    public async Task Program_WrongUse_TellsInThreeLines(int expected, params string[] arguments)
    {
        (int exitCode, string output, string errors) = await ServerProcess.RunAsync(arguments);
        Assert.Equal(expected, exitCode);
        Assert.Equal("", output);
        AssertThreeLines(errors);
    }

    [Theory]
    [InlineData("--help")]
    [InlineData("serve", "--help")]
    [InlineData("generate", "--help")]
    [InlineData("inspect", "--help")]
    public async Task Help_EveryVerb_HasAnExample(params string[] arguments)
    {
        (int exitCode, string output, _) = await ServerProcess.RunAsync(arguments);
        Assert.Equal(0, exitCode);
        Assert.Contains("Example", output);
    }

    private static void AssertThreeLines(string errors) =>
        Assert.Equal(["error:", "where:", "mend: "], errors.Split('\n').Select(line => line[..6]));
}
