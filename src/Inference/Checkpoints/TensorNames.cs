using System.Globalization;
using System.Text.RegularExpressions;

namespace Serving.Inference.Checkpoints;

/// <summary>
/// Tells from a tensor's name what it is for. The family's checkpoints were written by several generations of code, so the
/// patterns cover the usual spellings, each with one optional leading prefix.
/// </summary>
internal static partial class TensorNames
{
    private const RegexOptions Options = RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture;
    private const string Start = @"^((model|transformer|module)\.)?";
    private const string Blocks = "(transformer_layers|layers|blocks|h|transformer)";
    private const string Kind = @"[._](?<kind>weight_scale|weight|bias)\z";

    private static readonly (Regex Pattern, TensorRole Role)[] Outside =
    [
        (Embedding(), TensorRole.Embedding),
        (FinalNorm(), TensorRole.FinalNorm),
        (Head(), TensorRole.Head),
        (CodeMatrix(), TensorRole.CodeMatrix),
        (CodeOffset(), TensorRole.CodeOffset),
    ];

    private static readonly (Regex Pattern, TensorRole Role)[] Inside =
    [
        (Query(), TensorRole.Query),
        (Key(), TensorRole.Key),
        (Value(), TensorRole.Value),
        (Fused(), TensorRole.FusedQueryKeyValue),
        (AttentionOutput(), TensorRole.AttentionOutput),
        (Up(), TensorRole.Up),
        (Down(), TensorRole.Down),
        (AttentionNorm(), TensorRole.AttentionNorm),
        (MlpNorm(), TensorRole.MlpNorm),
    ];

    /// <summary>The place of a tensor in a checkpoint, which may hold several experts; null if its name matches nothing.</summary>
    public static TensorPlace? Place(string name)
    {
        if (Classify(name) is { } plain)
            return new TensorPlace("", plain);
        foreach (Regex pattern in (Regex[])[Suffixed(), Prefixed()])
        {
            Match expert = pattern.Match(name);
            if (expert.Success && Classify(expert.Result("${stem}${rest}")) is { } key)
                return new TensorPlace(expert.Groups["expert"].Value, key);
        }

        return null;
    }

    /// <summary>The place of a tensor in the model; null if its name matches nothing.</summary>
    public static TensorKey? Classify(string name)
    {
        if (Buffer().IsMatch(name))
            return new TensorKey(TensorRole.Buffer);
        Match block = Block().Match(name);
        return block.Success
            ? First(Inside, block.Groups["rest"].Value, int.Parse(block.Groups["layer"].ValueSpan, CultureInfo.InvariantCulture))
            : First(Outside, name, -1);
    }

    /// <summary>Whether a name is that of the third matrix of a gated MLP, as LLaMA's, which this family does not have.</summary>
    public static bool IsGate(string name) => Block().Match(name) is { Success: true } block && Gate().IsMatch(block.Groups["rest"].Value);

    private static TensorKey? First((Regex Pattern, TensorRole Role)[] patterns, string name, int layer)
    {
        foreach ((Regex pattern, TensorRole role) in patterns)
        {
            Match match = pattern.Match(name);
            if (match.Success)
                return new TensorKey(role, layer, match.Groups["kind"].ValueSpan is "bias", match.Groups["kind"].ValueSpan is "weight_scale");
        }

        return null;
    }

    [GeneratedRegex(@"((inv_freq|position_ids)|\.(tril|mask|causal_mask|attn_mask|masked_bias)|\.attn(ention)?\.bias)\z", Options)]
    private static partial Regex Buffer();

    // transformer_layers_1.0.…, lm_head_1.weight: parallel lists.
    [GeneratedRegex(Start + @"(?<stem>[A-Za-z]\w*?)(?<expert>_\d{1,3})(?<rest>\..+)\z", Options)]
    private static partial Regex Suffixed();

    // experts.0.lm_head.weight, model1.…, expert_ru.…: whole models side by side.
    [GeneratedRegex(@"^(module\.)?(?!" + Blocks + @"\.\d)(?<expert>[A-Za-z_]\w*(\.\d{1,3})?)\.(?<stem>)(?<rest>.+)\z", Options)]
    private static partial Regex Prefixed();

    [GeneratedRegex(Start + Blocks + @"\.(?<layer>\d{1,4})\.(?<rest>.+)\z", Options)]
    private static partial Regex Block();

    [GeneratedRegex(Start + @"(token_emb[a-z_]*|tok_emb[a-z_]*|wte|embed(ding|_tokens)?s?)\.(?<kind>weight)\z", Options)]
    private static partial Regex Embedding();

    [GeneratedRegex(Start + @"(final_layernorm|final_norm|ln_f|norm|ln_final)" + Kind, Options)]
    private static partial Regex FinalNorm();

    [GeneratedRegex(Start + @"(lm_head|head|output|out)" + Kind, Options)]
    private static partial Regex Head();

    // As buffers of a module, or beside the table that is not there.
    [GeneratedRegex(Start + Code + @"(A|(affine|code)_?(A|matrix|weight))\z", Options)]
    private static partial Regex CodeMatrix();

    [GeneratedRegex(Start + Code + @"(b|(affine|code)_?(b|offset|bias))\z", Options)]
    private static partial Regex CodeOffset();

    [GeneratedRegex(Attention + @"(q_proj|query|wq|W_q|q)" + Kind, Options)]
    private static partial Regex Query();

    [GeneratedRegex(Attention + @"(k_proj|key|wk|W_k|k)" + Kind, Options)]
    private static partial Regex Key();

    [GeneratedRegex(Attention + @"(v_proj|value|wv|W_v|v)" + Kind, Options)]
    private static partial Regex Value();

    [GeneratedRegex(Attention + @"(qkv|qkv_proj|wqkv|Wqkv|c_attn|in_proj)" + Kind, Options)]
    private static partial Regex Fused();

    [GeneratedRegex(Attention + @"(o_proj|out_proj|out|proj|wo|W_o|c_proj|dense|o)" + Kind, Options)]
    private static partial Regex AttentionOutput();

    [GeneratedRegex(Mlp + @"(0|fc1|fc_in|c_fc|up|up_proj|w1|net\.0|dense_h_to_4h|linear1|lin1)" + Kind, Options)]
    private static partial Regex Up();

    [GeneratedRegex(Mlp + @"(2|fc2|fc_out|c_proj|down|down_proj|w2|net\.2|dense_4h_to_h|linear2|lin2)" + Kind, Options)]
    private static partial Regex Down();

    [GeneratedRegex(Mlp + @"(gate|gate_proj|gate_up_proj|w3|wg|w_gate)[._]", Options)]
    private static partial Regex Gate();

    [GeneratedRegex(@"^(input_layernorm|ln_?1|norm_?1|attn_norm|attention_norm)" + Kind, Options)]
    private static partial Regex AttentionNorm();

    [GeneratedRegex(@"^(post_attention_layernorm|ln_?2|norm_?2|mlp_norm|ffn_norm)" + Kind, Options)]
    private static partial Regex MlpNorm();

    private const string Code = @"((\w+\.)?)";
    private const string Attention = @"^(self_attn|attn|attention|mha|sa)\.";
    private const string Mlp = @"^(mlp|ffn|feed_forward|ff)\.";
}
