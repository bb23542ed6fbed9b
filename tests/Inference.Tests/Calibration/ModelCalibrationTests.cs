using System.Text.Json.Nodes;
using Serving.Glyphs.Tokens;
using Serving.Inference.Calibration;
using Serving.Inference.Checkpoints;
using Serving.Inference.Tests.Checkpoints;
using Serving.Inference.Tests.Cpu;
using Serving.Testing;

namespace Serving.Inference.Tests.Calibration;

public sealed class ModelCalibrationTests : IDisposable
{
    private const string Text = """
        It was late in the evening when the old man came home. The house was dark and still, and for a long time he stood before
        the door without a word. He had not seen his brother for many years, and now that he was to see him again he did not know
        what to say. At last he lifted his hand and knocked. There was no answer. He knocked again, and then he heard a step upon
        the stairs, and a light was seen at the window.

        "Who is there?" said a voice from within. "It is I," he answered, "your brother. I have come a long way, and I am very
        tired. Will you not let me in?" The door was opened, and a young woman stood before him with a candle in her hand. She
        looked at him for a moment, and her face was very white. "My father is ill," she said at last. "He has been asking for you
        every day. I did not think that you would come." He took off his hat and followed her into the room. There was a fire in
        the corner, and beside it, in a great chair, sat a man whose hair was as white as snow. He did not turn his head when they
        came in, but he put out his hand, and the other took it in both of his own, and neither of them spoke a word.

        In the morning the sun was shining, and the children were playing in the garden before the house. The doctor came at ten
        o'clock, and said that there was no danger now, but that the old man must be kept quiet, and that he must not be left
        alone for a single hour. "You are his brother, sir?" he asked. "I am very glad to see you here. He has had no one but his
        daughter, and she has been up with him every night for more than a week. I told her that she must go to bed, but she would
        not hear of it. Perhaps she will listen to you." He shook hands with him, and went away across the fields to the village.
        """;

    private static readonly ModelsRoot Bundled = ModelsRoot.Scan(Path.Combine(TestData.RepositoryRoot, "models"));

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    // The bundled expert pairs halves. With the rows of its queries and keys exchanged it is the same model for whoever pairs
    // neighbours, and nonsense for everybody else.
    [Theory]
    [InlineData("half")]
    [InlineData("interleaved")]
    public void Run_TrainedModel_FindsThePairingAndWritesIt(string pairing)
    {
        using LoadedModel model = Expert(pairing == "interleaved");
        ModelCalibration calibration = ModelCalibration.Run(model, Tokenizer.Load(model.TokenizerPath).Encode(Text));
        Assert.Equal(12, calibration.Scores.Count);
        IReadOnlyList<CalibrationChoice> choices = CalibrationChoice.Of(calibration);
        CalibrationChoice rope = choices.Single(choice => choice.Key == "rope_pairing");
        Assert.Equal((pairing, true), (rope.Value, rope.IsClear));
        // The two forms of GELU differ by less than a text can tell.
        Assert.False(choices.Single(choice => choice.Key == "activation").IsClear);

        CalibrationChoice.Save(choices, _folder.Path);
        JsonObject saved = JsonNode.Parse(File.ReadAllText(Path.Combine(_folder.Path, "serving.json")))!.AsObject();
        Assert.Equal(pairing, (string?)Assert.Single(saved).Value);
        Assert.Equal(pairing, ServingOverrides.Read(_folder.Path).RopePairing.ToString()!.ToLowerInvariant());
    }

    // The narrow checkpoint, its blocks adding nothing and its head made to foresee the next number for vectors that are lifted so.
    [Theory]
    [InlineData("interleaved")]
    [InlineData("tiled")]
    public void Run_NarrowTable_FindsHowItIsLifted(string lift)
    {
        string folder = Path.Combine(_folder.Path, "root", "counter");
        _folder.Copy(TestData.Path("checkpoints", "narrow"), folder);
        MakeCounter(Path.Combine(folder, "model.safetensors"), isTiled: lift == "tiled");
        ModelsRoot root = ModelsRoot.Scan(Path.Combine(_folder.Path, "root"));
        using LoadedModel model = LoadedModel.Load(root, root.Models[0]);

        ModelCalibration calibration = ModelCalibration.Run(model, [.. Enumerable.Range(0, 256)]);

        CalibrationChoice choice = CalibrationChoice.Of(calibration).Single(choice => choice.Key == "input_lift");
        Assert.Equal((lift, true), (choice.Value, choice.IsClear));
        CalibrationChoice.Save([choice], folder);
        Assert.Equal(lift, ServingOverrides.Read(folder).InputLift.ToString()!.ToLowerInvariant());
    }

    [Fact]
    public void Run_ModelThatKnowsNothing_HasNoClearWinner()
    {
        using LoadedModel model = GoldenCheckpoint.Load("plain");
        var random = new Random(1);
        ModelCalibration calibration = ModelCalibration.Run(model, [.. Enumerable.Range(0, 200).Select(_ => random.Next(256))]);
        IReadOnlyList<CalibrationChoice> choices = CalibrationChoice.Of(calibration);
        Assert.False(calibration.KnowsTheText);
        Assert.All(choices, choice => Assert.False(choice.IsClear));
        CalibrationChoice.Save(choices, _folder.Path);
        Assert.Empty(Directory.EnumerateFiles(_folder.Path));
    }

    [Fact]
    public void Save_FileWithOtherKeys_KeepsThem()
    {
        _folder.Write("serving.json", """{"n_head": 2, "rope_pairing": "half"}""");
        CalibrationChoice.Save([new("rope_pairing", "hybrid", 1, "half", 2, IsClear: true), new("norm", "rms", 1, "layer", 1, IsClear: false)], _folder.Path);
        ServingOverrides saved = ServingOverrides.Read(_folder.Path);
        Assert.Equal((RopePairing.Hybrid, 2, null), (saved.RopePairing, saved.Heads, saved.Norm));
    }

    [Fact]
    public void Of_OpenThings_AreAllCombined()
    {
        _folder.Copy(TestData.Path("checkpoints", "rms"), "open");
        JsonObject config = JsonNode.Parse(File.ReadAllText(Path.Combine(_folder.Path, "open", "config.json")))!.AsObject();
        config.Remove("n_head");
        _folder.Write("open/config.json", config.ToJsonString());
        _folder.Write("open/serving.json", """{"n_head": 4, "activation": "gelu"}""");
        ModelsRoot root = ModelsRoot.Scan(_folder.Path);
        using (LoadedModel model = LoadedModel.Load(root, root.Models[0]))
        {
            IReadOnlyList<ModelReading> readings = ModelReading.Of(model);
            Assert.Equal(3 * 2, readings.Count);
            Assert.Equal(new ModelReading(RopePairing.Half, InputLift.Interleaved, NormKind.Rms, Activation.Gelu, 4), readings[0]);
        }

        _folder.Write("open/serving.json", """{"rope_pairing": "half", "norm": "rms", "activation": "gelu"}""");
        _folder.Write("open/config.json", config.ToJsonString());
        // Without n_head, 32 is assumed, which a width of 32 cannot have; a serving.json or the config must say it.
        Assert.Throws<CheckpointException>(() => LoadedModel.Load(root, root.Models[0]));
    }

    private LoadedModel Expert(bool interleave)
    {
        if (!interleave)
            return LoadedModel.Load(Bundled, Bundled.Models.Single(model => model.Id == "glyph-en"));
        string folder = Path.Combine(_folder.Path, "root", "expert");
        using (LoadedModel model = LoadedModel.Load(Bundled, Bundled.Models.Single(model => model.Id == "glyph-en")))
            CleanCheckpoint.Write(model, MakeParent(folder));
        Interleave(Path.Combine(folder, "model.safetensors"), headSize: 32);
        ModelsRoot root = ModelsRoot.Scan(Path.Combine(_folder.Path, "root"));
        return LoadedModel.Load(root, root.Models[0]);
    }

    private static void MakeCounter(string path, bool isTiled)
    {
        var file = new SafetensorsWriter();
        using SafetensorsFile source = SafetensorsFile.Open(path);
        Tensor table = source.Tensors.Values.Single(tensor => TensorNames.Classify(tensor.Name)?.Role == TensorRole.Embedding);
        foreach (Tensor tensor in source.Tensors.Values)
        {
            float[] values = tensor.ToFloats();
            TensorKey key = TensorNames.Classify(tensor.Name)!.Value;
            if (key.Role is TensorRole.AttentionOutput or TensorRole.Down || (key.IsBias && key.Role is TensorRole.Head or TensorRole.FinalNorm))
                Array.Clear(values);
            else if (key.Role == TensorRole.FinalNorm)
                Array.Fill(values, 1f);
            else if (key.Role == TensorRole.Head)
                values = HeadThatCounts(table.ToFloats(), (int)table.Shape[1], (int)tensor.Shape[1], isTiled);
            file.Add(Tensor.InMemory(tensor.Name, values, [.. tensor.Shape]));
        }

        source.Dispose();
        file.Save(path);
    }

    // A token's row points where the normalised vector of the token before it does.
    private static float[] HeadThatCounts(float[] table, int values, int width, bool isTiled)
    {
        var head = new float[table.Length / values * width];
        for (int token = 0; token < table.Length / values; token++)
        {
            float[] vector = table[(token * values)..((token + 1) * values)];
            float mean = vector.Average(), deviation = MathF.Sqrt(1e-5f + vector.Average(value => (value - mean) * (value - mean)));
            int next = (token + 1) * values % table.Length / values;
            for (int i = 0; i < width; i++)
                head[(next * width) + i] = (vector[isTiled ? i % values : i / (width / values)] - mean) / deviation;
        }

        return head;
    }

    private static string MakeParent(string folder)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(folder)!);
        return folder;
    }

    private static void Interleave(string path, int headSize)
    {
        var file = new SafetensorsWriter();
        using SafetensorsFile source = SafetensorsFile.Open(path);
        foreach (Tensor tensor in source.Tensors.Values)
        {
            if (!tensor.Name.EndsWith("q_proj.weight", StringComparison.Ordinal) && !tensor.Name.EndsWith("k_proj.weight", StringComparison.Ordinal))
            {
                file.Add(tensor);
                continue;
            }

            var bytes = new byte[tensor.Bytes];
            int rowBytes = (int)(tensor.Bytes / tensor.Shape[0]);
            for (int row = 0; row < tensor.Shape[0]; row++)
            {
                (int head, int element) = Math.DivRem(row, headSize);
                int from = (head * headSize) + (element / 2) + (element % 2 * (headSize / 2));
                tensor.Read((long)from * rowBytes, bytes.AsSpan(row * rowBytes, rowBytes));
            }

            file.Add(tensor.Name, tensor.DType, [.. tensor.Shape], bytes);
        }

        file.Save(path);
    }
}
