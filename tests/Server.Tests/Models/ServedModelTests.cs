using Serving.Inference.Checkpoints;
using Serving.Inference.Scheduling;
using Serving.Server.Models;
using Serving.Testing;

namespace Serving.Server.Tests.Models;

public sealed class ServedModelTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("serving-models-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task Load_TokenizerHasMoreTokensThanTheModel_IsRefused()
    {
        string tokenizer = Path.Combine(Copy("plain"), "tokenizer.json");
        string text = await File.ReadAllTextAsync(tokenizer);
        await File.WriteAllTextAsync(tokenizer, text.Replace("\"vocab\": {", "\"vocab\": {\"中\": 256, ", StringComparison.Ordinal));
        CheckpointException refused = Assert.Throws<CheckpointException>(Load);
        Assert.Equal(tokenizer, refused.Path);
        Assert.Contains("257", refused.Found);
    }

    [Fact]
    public async Task Load_OtherWeights_ChangesTheFingerprint()
    {
        string weights = Path.Combine(Copy("plain"), "model.safetensors");
        string before, again, after;
        await using (ServedModel model = Load())
            before = model.Fingerprint;
        await using (ServedModel model = Load())
            again = model.Fingerprint;
        byte[] bytes = await File.ReadAllBytesAsync(weights);
        bytes[^1] ^= 1;
        await File.WriteAllBytesAsync(weights, bytes);
        await using (ServedModel model = Load())
            after = model.Fingerprint;
        Assert.Equal(before, again);
        Assert.NotEqual(before, after);
    }

    private string Copy(string checkpoint)
    {
        string folder = Directory.CreateDirectory(Path.Combine(_root, "model")).FullName;
        foreach (string file in Directory.EnumerateFiles(TestData.Path("checkpoints", checkpoint)))
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        return folder;
    }

    private ServedModel Load()
    {
        ModelsRoot root = ModelsRoot.Scan(_root);
        return ServedModel.Load(root, root.Models[0], new EngineOptions());
    }
}
