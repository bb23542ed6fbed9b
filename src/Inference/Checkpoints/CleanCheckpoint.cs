using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Serving.Inference.Checkpoints;

/// <summary>
/// Writes a model as a folder that any reader of the family understands: one <c>model.safetensors</c> with the usual names,
/// matrices [outputs, inputs], the table inside, several experts side by side; <c>config.json</c> with what a
/// <c>serving.json</c> said; the tokenizer. Values keep their type and their bits, unless matrices are to be quantized.
/// </summary>
public static class CleanCheckpoint
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    private static readonly string[] SideFiles =
        ["tokenizer_config.json", "special_tokens_map.json", "vocab.json", "merges.txt", "generation_config.json"];

    /// <summary>Writes the folder beside its place and renames it: it is there as a whole, or not at all.</summary>
    /// <param name="model">The model; several gigabytes need no more memory than a few megabytes.</param>
    /// <param name="folder">Must not exist.</param>
    /// <param name="toEightBits">Whether matrices become whole numbers with a scale for 64 of an output, the same bits as if they were
    /// quantized when the model is loaded.</param>
    /// <param name="progress">Told the bytes written and the bytes in all.</param>
    /// <returns>The folder's full path.</returns>
    /// <exception cref="IOException">The folder exists, or the disk is full.</exception>
    public static string Write(LoadedModel model, string folder, bool toEightBits = false, IProgress<(long Done, long Total)>? progress = null)
    {
        string place = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        if (Path.Exists(place))
            throw new IOException($"'{folder}' exists.");
        string partial = $"{place}.{Environment.ProcessId}.partial";
        try
        {
            Directory.CreateDirectory(partial);
            TensorsOf(model, toEightBits).Save(Path.Combine(partial, "model.safetensors"), progress);
            WriteConfig(model, Path.Combine(partial, "config.json"));
            CopySideFiles(model, partial);
            Directory.Move(partial, place);
            return place;
        }
        catch
        {
            if (Directory.Exists(partial))
                Directory.Delete(partial, recursive: true);
            throw;
        }
    }

    private static SafetensorsWriter TensorsOf(LoadedModel model, bool toEightBits)
    {
        var file = new SafetensorsWriter();
        bool haveOneTable = model.Experts.All(expert => expert.Table == model.Table && expert.TableSource == model.Weights.TableSource);
        if (haveOneTable)
            AddTable(file, "", model.Weights);
        for (int i = 0; i < model.Experts.Count; i++)
        {
            string prefix = model.Experts.Count > 1 ? $"experts.{i}." : "";
            if (!haveOneTable)
                AddTable(file, prefix, model.Experts[i]);
            AddExpert(file, prefix, model.Experts[i], toEightBits);
        }

        return file;
    }

    private static void AddTable(SafetensorsWriter file, string prefix, TransformerWeights expert)
    {
        string name = $"{prefix}token_embeddings.weight";
        if (expert.TableTensor is { } tensor)
            file.Add(tensor.Named(name));
        else if (expert.TableSource == TableSource.Substrate)
            file.Add(name, DType.F32, [expert.Table.Rows, expert.Table.Dimensions], expert.Table.WriteFloats);
        else if (expert.TokenCode is { } code)
        {
            file.Add(code.Matrix.Named($"{prefix}code_matrix"));
            if (code.Offset is { } offset)
                file.Add(offset.Named($"{prefix}code_offset"));
        }
    }

    private static void AddExpert(SafetensorsWriter file, string prefix, TransformerWeights expert, bool toEightBits)
    {
        for (int layer = 0; layer < expert.Blocks.Count; layer++)
        {
            BlockWeights block = expert.Blocks[layer];
            string start = $"{prefix}transformer_layers.{layer}.";
            Add(file, start + "input_layernorm", block.AttentionNorm.Weight, block.AttentionNorm.Bias);
            Add(file, start + "self_attn.q_proj", block.Query, toEightBits);
            Add(file, start + "self_attn.k_proj", block.Key, toEightBits);
            Add(file, start + "self_attn.v_proj", block.Value, toEightBits);
            Add(file, start + "self_attn.o_proj", block.Output, toEightBits);
            Add(file, start + "post_attention_layernorm", block.MlpNorm.Weight, block.MlpNorm.Bias);
            Add(file, start + "mlp.0", block.Up, toEightBits);
            Add(file, start + "mlp.2", block.Down, toEightBits);
        }

        if (expert.FinalNorm is { } norm)
            Add(file, prefix + "final_layernorm", norm.Weight, norm.Bias);
        Add(file, prefix + "lm_head", expert.Head, toEightBits);
    }

    private static void Add(SafetensorsWriter file, string name, LinearWeights linear, bool toEightBits)
    {
        if (toEightBits && linear.Scales is null)
        {
            (int outputs, int inputs) = (linear.Outputs, linear.Inputs);
            file.Add(name + ".weight", DType.I8, [outputs, inputs], output => WriteRows(linear.Weight, (numbers, _) => output.Write(MemoryMarshal.AsBytes(numbers))));
            file.Add(name + ".weight_scale", DType.BF16, [outputs, EightBits.GroupsOf(inputs)],
                output => WriteRows(linear.Weight, (_, scales) => output.Write(MemoryMarshal.AsBytes(scales))));
        }
        else
            file.Add(linear.Weight.Named(name + ".weight"));
        if (linear.Scales is { } scales)
            file.Add(scales.Named(name + ".weight_scale"));
        if (linear.Bias is { } bias)
            file.Add(bias.Named(name + ".bias"));
    }

    private static void WriteRows(Tensor weight, Action<ReadOnlySpan<sbyte>, ReadOnlySpan<ushort>> write)
    {
        int inputs = (int)weight.Shape[1];
        (float[] row, sbyte[] numbers, ushort[] scales) = (new float[inputs], new sbyte[inputs], new ushort[EightBits.GroupsOf(inputs)]);
        for (long output = 0; output < weight.Shape[0]; output++)
        {
            weight.ReadFloats(output * inputs, row);
            EightBits.Quantize(row, numbers, scales);
            write(numbers, scales);
        }
    }

    private static void Add(SafetensorsWriter file, string name, Tensor weight, Tensor? bias)
    {
        file.Add(weight.Named(name + ".weight"));
        if (bias is not null)
            file.Add(bias.Named(name + ".bias"));
    }

    // What the tensors were called is settled now; what else a serving.json said goes where it belongs.
    private static void WriteConfig(LoadedModel model, string path)
    {
        JsonObject config = JsonNode.Parse(File.ReadAllBytes(model.Config.Path))!.AsObject();
        config.Remove("substrate");
        if (config.ContainsKey("tie_word_embeddings"))
            config["tie_word_embeddings"] = false;
        ServingOverrides overrides = ServingOverrides.Read(model.Path);
        if (overrides.RopePairing is { } pairing)
            config["rope_pairing"] = pairing.ToString().ToLowerInvariant();
        if (overrides.InputLift is { } lift)
            config["input_lift"] = lift.ToString().ToLowerInvariant();
        if (overrides.Norm is { } norm)
            config["norm"] = norm.ToString().ToLowerInvariant();
        if (overrides.NormEpsilon is { } epsilon)
            config["norm_epsilon"] = epsilon;
        if (overrides.Activation is { } activation)
            config["activation"] = JsonNamingPolicy.SnakeCaseLower.ConvertName(activation.ToString());
        if (overrides.Heads is { } heads)
            config["n_head"] = heads;
        if (overrides.Code is not null)
        {
            JsonObject said = JsonNode.Parse(File.ReadAllBytes(Path.Combine(model.Path, ServingOverrides.FileName)))!.AsObject();
            foreach (string key in (string[])["code_matrix", "code_offset"])
                config[key] = said[key]?.DeepClone();
        }

        File.WriteAllText(path, config.ToJsonString(Indented) + "\n");
    }

    private static void CopySideFiles(LoadedModel model, string folder)
    {
        File.Copy(model.TokenizerPath, Path.Combine(folder, "tokenizer.json"));
        foreach (string file in SideFiles.Where(file => File.Exists(Path.Combine(model.Path, file))))
            File.Copy(Path.Combine(model.Path, file), Path.Combine(folder, file));
    }
}
