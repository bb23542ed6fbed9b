using System.Buffers.Binary;
using System.Diagnostics;
using System.IO.Compression;
using Serving.Glyphs.Tokens;
using Serving.Inference.Checkpoints;
using Serving.Testing;

namespace Serving.Inference.Tests.Checkpoints;

/// <summary>
/// Models with one damaged file, thousands of them: each loads, or is refused with a message that names the file, and takes no
/// more memory than the files warrant. <c>SERVING_MUTATIONS=1000000</c> runs more than the usual 10,000.
/// </summary>
public sealed class HostileFilesTests : IDisposable
{
    // The floor is what an ordinary load of these small files takes, and what a pickle may ask for by itself.
    private const long MaxAllocation = 96L << 20;

    // On a busy machine anything can be late once, so what takes longer is tried again.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);
    private const int Tries = 5;

    private static readonly int Mutations =
        int.TryParse(Environment.GetEnvironmentVariable("SERVING_MUTATIONS"), out int count) ? count : 10_000;

    private readonly TempFolder _folder = new(Directory.Exists("/dev/shm") ? "/dev/shm" : null);

    public void Dispose() => _folder.Dispose();

    /// <summary>The file of a golden checkpoint that is damaged, and its share of all mutations in percent.</summary>
    [Theory]
    [InlineData("plain", "model.safetensors", 25)]
    [InlineData("sharded", "model.safetensors.index.json", 5)]
    [InlineData("pickle", "pytorch_model.bin", 15)]
    [InlineData("pickle", "data.pkl", 15)]
    [InlineData("table", "normalized_embeddings_weights.pt", 10)]
    [InlineData("plain", "config.json", 8)]
    [InlineData("moe", "serving.json", 4)]
    [InlineData("plain", "tokenizer.json", 8)]
    [InlineData("substrate", "table.safetensors", 5)]
    [InlineData("substrate", "table.json", 5)]
    public void Load_DamagedFile_LoadsOrIsRefused(string model, string file, int percent)
    {
        byte[] whole = Prepare(model, file, out string path);
        _ = Load(model);
        int count = Math.Max(1, (int)((long)Mutations * percent / 100)), refused = 0;
        for (int seed = 0; seed < count; seed++)
        {
            byte[] mutation = Mutate(file, whole, new Mutator(seed));
            File.WriteAllBytes(path, mutation);
            string what = $"{file}, seed {seed}";
            refused += Try(model, what, mutation.Length, out TimeSpan time) ? 1 : 0;
            for (int again = 1; again < Tries && time > Patience; again++)
                _ = Try(model, what, mutation.Length, out time);
            Assert.True(time <= Patience, $"{what}: {time.TotalSeconds:0.0} s.");
        }

        // Most damage is to be seen; a flipped bit of a weight, or a key that nobody reads, cannot be.
        Assert.InRange(refused, count / 10, count);
    }

    private bool Try(string model, string what, long fileBytes, out TimeSpan time)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        long start = Stopwatch.GetTimestamp();
        string? fault = null;
        try
        {
            fault = Load(model);
        }
        catch (Exception e)
        {
            Assert.Fail($"{what}: {e}");
        }

        Assert.True(fault is null || fault.Contains(_folder.Path, StringComparison.Ordinal), $"{what}: no file is named: {fault}");
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < MaxAllocation + (4 * fileBytes), $"{what}: too much memory.");
        time = Stopwatch.GetElapsedTime(start);
        return fault is not null;
    }

    /// <summary>Loads all that a server reads of a model.</summary>
    /// <returns>Why it was refused; null = it was not.</returns>
    private string? Load(string id)
    {
        try
        {
            ModelsRoot root = ModelsRoot.Scan(_folder.Path);
            using LoadedModel model = LoadedModel.Load(root, root.Models.Single(model => model.Id == id));
            _ = Tokenizer.Load(model.TokenizerPath);
            foreach (Tensor tensor in model.Experts.SelectMany(expert => expert.Tensors()))
                _ = tensor.ToFloats();
            return null;
        }
        catch (Exception fault) when (fault is CheckpointException or TokenizerFormatException)
        {
            return fault.Message;
        }
    }

    private byte[] Prepare(string model, string file, out string path)
    {
        _folder.Copy(TestData.Path("checkpoints", model == "substrate" ? "plain" : model), model);
        if (model == "substrate")
            return PrepareSubstrate(file, out path);
        if (file == "serving.json")
        {
            _folder.Write($"{model}/{file}", """
                {"rope_pairing": "half", "norm": "layer", "norm_epsilon": 1e-5, "activation": "gelu", "n_head": 2,
                 "names": {"experts.0.lm_head.bias": "experts.0.head.bias"}}
                """);
        }

        path = Path.Combine(_folder.Path, model, file == "data.pkl" ? "pytorch_model.bin" : file);
        return File.ReadAllBytes(path);
    }

    // The bundled substrate's table, cut down to the 256 tokens of the golden checkpoints.
    private byte[] PrepareSubstrate(string file, out string path)
    {
        string plain = Path.Combine(_folder.Path, "substrate", "model.safetensors");
        var weights = new SafetensorsWriter();
        using (SafetensorsFile whole = SafetensorsFile.Open(TestData.Path("checkpoints", "plain", "model.safetensors")))
        {
            foreach (Tensor tensor in whole.Tensors.Values.Where(tensor => !tensor.Name.Contains("token_emb", StringComparison.Ordinal)))
                weights.Add(tensor);
            weights.Save(plain);
            Tensor table = whole.Tensors["token_embeddings.weight"].Named("embeddings");
            var substrate = new SafetensorsWriter();
            substrate.Add(table);
            Directory.CreateDirectory(Path.Combine(_folder.Path, "substrates", "small"));
            substrate.Save(Path.Combine(_folder.Path, "substrates", "small", "table.safetensors"));
            string fingerprint = TensorContent.FingerprintOf(table);
            _folder.Write("substrates/small/table.json", $$"""{"recipe": "none", "rows": 256, "dimensions": 32, "fingerprint": "{{fingerprint}}"}""");
            string config = Path.Combine(_folder.Path, "substrate", "config.json");
            File.WriteAllText(config, File.ReadAllText(config).Replace("{", $$"""{"substrate": "{{fingerprint}}",""", StringComparison.Ordinal));
        }

        path = Path.Combine(_folder.Path, "substrates", "small", file);
        return File.ReadAllBytes(path);
    }

    private static byte[] Mutate(string file, byte[] whole, Mutator mutator) => file switch
    {
        "data.pkl" => WithPickle(whole, mutator),
        _ when file.EndsWith(".json", StringComparison.Ordinal) => mutator.Json(whole),
        _ when file.EndsWith(".safetensors", StringComparison.Ordinal) => Safetensors(whole, mutator),
        // The ends of an archive hold all that is not values.
        _ => mutator.Next(2) == 0 ? mutator.Bytes(whole, 0, 4096) : mutator.Bytes(whole, whole.AsSpan().IndexOf("PK\x1\x2"u8)),
    };

    // The header as JSON with its length put right, or anything anywhere.
    private static byte[] Safetensors(byte[] whole, Mutator mutator)
    {
        int header = (int)BinaryPrimitives.ReadInt64LittleEndian(whole);
        if (mutator.Next(3) == 0)
            return mutator.Bytes(whole, 0, 8 + header);
        byte[] mutation = mutator.Json(whole[8..(8 + header)]);
        var file = new byte[8 + mutation.Length + whole.Length - 8 - header];
        BinaryPrimitives.WriteInt64LittleEndian(file, mutation.Length);
        mutation.CopyTo(file, 8);
        whole.AsSpan(8 + header).CopyTo(file.AsSpan(8 + mutation.Length));
        return file;
    }

    private static byte[] WithPickle(byte[] whole, Mutator mutator)
    {
        var entries = new List<KeyValuePair<string, byte[]>>();
        using var archive = new ZipArchive(new MemoryStream(whole));
        foreach (ZipArchiveEntry entry in archive.Entries)
        {
            using Stream stream = entry.Open();
            var bytes = new MemoryStream();
            stream.CopyTo(bytes);
            bool isPickle = entry.FullName.EndsWith("/data.pkl", StringComparison.Ordinal);
            entries.Add(new(entry.FullName, isPickle ? mutator.Bytes(bytes.ToArray()) : bytes.ToArray()));
        }

        return TorchFile.Archive(entries);
    }
}
