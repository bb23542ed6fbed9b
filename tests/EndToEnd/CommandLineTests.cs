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
    public async Task Inspect_SeveralModels_TellsWhatTheyShare()
    {
        (int exitCode, string text, string errors) = await ServerProcess.RunAsync("inspect", "--json", Path.Combine(Checkpoints, "plain"), Path.Combine(Checkpoints, "interleaved"), Path.Combine(Checkpoints, "bf16"));
        Assert.Equal((0, ""), (exitCode, errors));
        using JsonDocument json = JsonDocument.Parse(text);
        JsonElement root = json.RootElement;
        // 41,856 values each, in 4, 4 and 2 bytes.
        const long Whole = 41_856 * 4, Half = 41_856 * 2;
        Assert.Equal([Whole, Whole, Half], root.GetProperty("models").EnumerateArray().Select(model => model.GetProperty("bytes").GetInt64()));
        Assert.Equal([Whole, Whole, 0], root.GetProperty("models").EnumerateArray().Select(model => model.GetProperty("shared_bytes").GetInt64()));
        Assert.Equal((2 * Whole) + Half, root.GetProperty("bytes").GetInt64());
        Assert.Equal(Whole + Half, root.GetProperty("distinct_bytes").GetInt64());
        JsonElement shared = Assert.Single(root.GetProperty("shared").EnumerateArray());
        Assert.Equal(["plain", "interleaved"], shared.GetProperty("models").EnumerateArray().Select(model => model.GetString()));
        (exitCode, text, _) = await ServerProcess.RunAsync("inspect", Checkpoints);
        Assert.Equal(0, exitCode);
        Assert.Contains("held once", text);
    }

    [Fact]
    public async Task Convert_TorchFile_BecomesACleanFolderThatIsServed()
    {
        using var copies = new CheckpointCopies();
        string target = Path.Combine(copies.Path, "clean");
        (int exitCode, string text, string errors) = await ServerProcess.RunAsync("convert", Path.Combine(Checkpoints, "pickle"), "--out", target);
        Assert.Equal((0, ""), (exitCode, text));
        Assert.Contains("41,856 parameters", errors);
        (exitCode, text, _) = await ServerProcess.RunAsync("generate", "--models", copies.Path, "--temperature", "0", "--max-tokens", "8", "abc");
        (_, string original, _) = await ServerProcess.RunAsync("generate", "--models", Checkpoints, "--model", "pickle", "--temperature", "0", "--max-tokens", "8", "abc");
        Assert.Equal((0, original), (exitCode, text));

        (exitCode, _, errors) = await ServerProcess.RunAsync("convert", Path.Combine(Checkpoints, "pickle"), "--out", target);
        Assert.Equal(2, exitCode);
        AssertThreeLines(errors);
    }

    [Fact]
    public async Task InspectCheck_ConvertedModel_FindsNothingUntilAByteIsFlipped()
    {
        using var copies = new CheckpointCopies();
        string target = Path.Combine(copies.Path, "clean"), weights = Path.Combine(target, "model.safetensors");
        await ServerProcess.RunAsync("convert", Path.Combine(Checkpoints, "plain"), "--out", target);
        (int exitCode, string text, _) = await ServerProcess.RunAsync("inspect", target, "--check");
        Assert.Equal(0, exitCode);
        Assert.Contains("compared with the fingerprints in their files; no fault", text);

        byte[] bytes = File.ReadAllBytes(weights);
        bytes[^1] ^= 1;
        File.WriteAllBytes(weights, bytes);
        (exitCode, text, _) = await ServerProcess.RunAsync("inspect", target, "--check", "--json");
        Assert.Equal(3, exitCode);
        Assert.Equal("lm_head.bias", JsonDocument.Parse(text).RootElement[0].GetProperty("faults")[0].GetProperty("tensor").GetString());
        (exitCode, _, string errors) = await ServerProcess.RunAsync("generate", "--models", copies.Path, "--max-tokens", "1", "abc");
        Assert.Equal(3, exitCode);
        Assert.Contains("lm_head.bias", errors);
        AssertThreeLines(errors);
    }

    // A full disk cannot be had without rights; a folder where no folder can be made is the same to the command.
    [Fact]
    public async Task Convert_NowhereToWrite_Exits1WithThreeLines()
    {
        (int exitCode, _, string errors) = await ServerProcess.RunAsync("convert", Path.Combine(Checkpoints, "plain"), "--out", "/proc/nowhere/clean");
        Assert.Equal(1, exitCode);
        AssertThreeLines(errors);
    }

    [Fact]
    public async Task Inspect_Calibrate_SaysPlainlyThatThereIsNoWinner()
    {
        using var copies = new CheckpointCopies();
        string model = copies.Add("plain", "plain"), text = Path.Combine(copies.Path, "text.txt");
        File.WriteAllText(text, string.Concat(Enumerable.Repeat("The quick brown fox jumps over the lazy dog. ", 5)));
        (int exitCode, string output, string errors) = await ServerProcess.RunAsync("inspect", model, "--calibrate", text);
        Assert.Equal((0, ""), (exitCode, errors));
        Assert.Contains("no clear winner", output);
        Assert.False(File.Exists(Path.Combine(model, "serving.json")));
        File.WriteAllText(text, "short");
        Assert.Equal(2, (await ServerProcess.RunAsync("inspect", model, "--calibrate", text)).ExitCode);
        Assert.Equal(4, (await ServerProcess.RunAsync("inspect", model, "--calibrate", text + "x")).ExitCode);
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
    [InlineData("convert", "--help")]
    public async Task Help_EveryVerb_HasAnExample(params string[] arguments)
    {
        (int exitCode, string output, _) = await ServerProcess.RunAsync(arguments);
        Assert.Equal(0, exitCode);
        Assert.Contains("Example", output);
    }

    private static void AssertThreeLines(string errors) =>
        Assert.Equal(["error:", "where:", "mend: "], errors.Split('\n').Select(line => line[..6]));
}
