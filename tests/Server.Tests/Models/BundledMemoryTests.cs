using System.Buffers.Binary;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text.Json;
using Serving.Server.Tests.Hosting;
using Serving.Testing;

namespace Serving.Server.Tests.Models;

/// <summary>What /v1/models says of memory, counted again from the files of the bundled models with no code of the server.</summary>
public sealed class BundledMemoryTests
{
    private const int Width = 256;
    private const int HiddenWidth = 1024;
    private const int Vocabulary = 8192;
    private const long TableBytes = 4L * Vocabulary * Width;

    private static readonly string Root = Path.Combine(TestData.RepositoryRoot, "models");
    private static readonly string[] Experts = ["glyph-en", "glyph-ru", "glyph-zh"];
    private static readonly string[] Family = ["glyph-en-1", "glyph-en-2", "glyph-en-3", "glyph-en-4"];

    [Fact]
    public async Task Models_ExpertsFamilyAndEnsemble_AreAccountedForToTheByte()
    {
        await using RunningServer server = await RunningServer.StartAsync(null, $"Models={Root}");
        Dictionary<string, JsonElement> told = (await server.Client.GetFromJsonAsync<JsonElement>("/v1/models")).GetProperty("data")
            .EnumerateArray().ToDictionary(model => model.GetProperty("id").GetString()!);
        Dictionary<string, Dictionary<string, long>> pieces = Experts.Concat(Family).ToDictionary(id => id, PiecesOf);
        foreach ((string id, Dictionary<string, long> own) in pieces)
        {
            HashSet<string> elsewhere = [.. pieces.Where(other => other.Key != id).SelectMany(other => other.Value.Keys)];
            Assert.Equal(TableBytes + own.Values.Sum(), Told(id, "bytes"));
            Assert.Equal(TableBytes + own.Where(piece => elsewhere.Contains(piece.Key)).Sum(piece => piece.Value), Told(id, "shared_bytes"));
        }

        // Three experts and their ensemble: one table, and the ensemble brings no weight of its own.
        long experts = TableBytes + Union(Experts);
        Assert.Equal((experts, experts), (Told("babel", "bytes"), Told("babel", "shared_bytes")));

        // The family: the blocks of the deepest once, a norm and a head for each stage.
        JsonElement sum = await server.Client.GetFromJsonAsync<JsonElement>("/v1/models/" + string.Join('+', Family));
        long family = TableBytes + Union(Family);
        Assert.Equal(family, sum.GetProperty("bytes").GetInt64());
        long head = (2L * Vocabulary * Width) + (4L * Vocabulary) + (4L * 2 * Width);
        Assert.Equal(Told("glyph-en-4", "bytes") + ((Family.Length - 1) * head), family);

        long Told(string id, string figure) => told[id].GetProperty(figure).GetInt64();

        long Union(string[] ids) => ids.SelectMany(id => pieces[id]).DistinctBy(piece => piece.Key).Sum(piece => piece.Value);
    }

    [Fact]
    public async Task Models_Ensemble_PlansKeysAndValuesOfEveryMember()
    {
        await using RunningServer server = await RunningServer.StartAsync(null, $"Models={Root}");
        JsonElement memory = (await server.Client.GetFromJsonAsync<JsonElement>("/v1/models/babel")).GetProperty("memory");
        // Eight contexts of 512 tokens; a token has 8 keys and 8 values of 32 numbers of two
        // bytes, and a scale for each, in each of 4 blocks, in each of 3 members.
        Assert.Equal(8 * 512, memory.GetProperty("kv_tokens").GetInt64());
        Assert.Equal(8L * 512 * 2 * 8 * ((2 * 32) + sizeof(float)) * 4 * 3, memory.GetProperty("kv_bytes").GetInt64());
        long one = (await server.Client.GetFromJsonAsync<JsonElement>("/v1/models/glyph-en")).GetProperty("memory").GetProperty("workspace_bytes").GetInt64();
        // Each member's workspace, and 64 rows of their mean.
        Assert.Equal((3 * one) + (64L * Vocabulary * sizeof(float)), memory.GetProperty("workspace_bytes").GetInt64());
    }

    [Fact]
    public void Files_StagesOfTheFamily_HaveTheSameBlocksByteForByte()
    {
        for (int stage = 1; stage < Family.Length; stage++)
        {
            Dictionary<string, byte[]> shallow = TensorsOf(Family[stage - 1]), deep = TensorsOf(Family[stage]);
            string[] blocks = [.. shallow.Keys.Where(name => name.StartsWith("transformer_layers.", StringComparison.Ordinal))];
            Assert.Equal(12 * stage, blocks.Length);
            Assert.All(blocks, name => Assert.Equal(shallow[name], deep[name]));
            Assert.Equal(12 * (stage + 1), deep.Keys.Count(name => name.StartsWith("transformer_layers.", StringComparison.Ordinal)));
            Assert.NotEqual(shallow["lm_head.weight"], deep["lm_head.weight"]);
            Assert.Equal(SubstrateOf(Family[stage - 1]), SubstrateOf(Family[stage]));
        }
    }

    // By content: a matrix stays bf16 and has biases in float32, zeros where the file has none; queries, keys and values are one matrix.
    private static Dictionary<string, long> PiecesOf(string id)
    {
        Dictionary<string, byte[]> tensors = TensorsOf(id);
        var pieces = new Dictionary<string, long>();
        for (int block = 0; tensors.ContainsKey($"transformer_layers.{block}.mlp.0.weight"); block++)
        {
            string at = $"transformer_layers.{block}.";
            AddMatrix(3 * Width, null, at + "self_attn.q_proj.weight", at + "self_attn.k_proj.weight", at + "self_attn.v_proj.weight");
            AddMatrix(Width, null, at + "self_attn.o_proj.weight");
            AddMatrix(HiddenWidth, at + "mlp.0.bias", at + "mlp.0.weight");
            AddMatrix(Width, at + "mlp.2.bias", at + "mlp.2.weight");
            AddNorm(at + "input_layernorm");
            AddNorm(at + "post_attention_layernorm");
        }
        AddNorm("final_layernorm");
        AddMatrix(Vocabulary, "lm_head.bias", "lm_head.weight");
        return pieces;

        void AddMatrix(int outputs, string? bias, params string[] weights)
        {
            Add([.. weights.SelectMany(name => tensors[name])]);
            Add(bias is null ? new byte[outputs * sizeof(float)] : Widened(tensors[bias]));
        }

        void AddNorm(string name) => Add([.. Widened(tensors[name + ".weight"]), .. Widened(tensors[name + ".bias"])]);

        void Add(byte[] content) => pieces[Convert.ToHexString(SHA256.HashData(content)) + content.Length] = content.Length;
    }

    private static byte[] Widened(byte[] bf16)
    {
        byte[] floats = new byte[2 * bf16.Length];
        for (int i = 0; i < bf16.Length; i += 2)
            (floats[(2 * i) + 2], floats[(2 * i) + 3]) = (bf16[i], bf16[i + 1]);
        return floats;
    }

    private static Dictionary<string, byte[]> TensorsOf(string id)
    {
        byte[] file = File.ReadAllBytes(Path.Combine(Root, id, "model.safetensors"));
        int header = (int)BinaryPrimitives.ReadInt64LittleEndian(file);
        using JsonDocument json = JsonDocument.Parse(file.AsMemory(8, header));
        return json.RootElement.EnumerateObject().Where(entry => entry.Name != "__metadata__").ToDictionary(entry => entry.Name, entry =>
        {
            Assert.Equal("BF16", entry.Value.GetProperty("dtype").GetString());
            int[] range = entry.Value.GetProperty("data_offsets").Deserialize<int[]>()!;
            return file[(8 + header + range[0])..(8 + header + range[1])];
        });
    }

    private static string SubstrateOf(string id)
    {
        using JsonDocument config = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Root, id, "config.json")));
        return config.RootElement.GetProperty("substrate").GetString()!;
    }
}
