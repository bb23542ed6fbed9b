using Serving.Inference.Checkpoints;

namespace Serving.Inference.Tests.Checkpoints;

public sealed class TensorNamesTests
{
    [Theory]
    [InlineData("token_embeddings.weight", "Embedding", -1, false)]
    [InlineData("transformer.wte.weight", "Embedding", -1, false)]
    [InlineData("model.embed_tokens.weight", "Embedding", -1, false)]
    [InlineData("embedding.weight", "Embedding", -1, false)]
    [InlineData("transformer_layers.0.self_attn.q_proj.weight", "Query", 0, false)]
    [InlineData("module.layers.12.attention.wk.bias", "Key", 12, true)]
    [InlineData("transformer.3.attn.W_v.weight", "Value", 3, false)]
    [InlineData("transformer.h.3.attn.c_attn.bias", "FusedQueryKeyValue", 3, true)]
    [InlineData("blocks.1.mha.in_proj_weight", "FusedQueryKeyValue", 1, false)]
    [InlineData("blocks.1.mha.out_proj.weight", "AttentionOutput", 1, false)]
    [InlineData("h.0.attn.c_proj.weight", "AttentionOutput", 0, false)]
    [InlineData("h.0.mlp.c_proj.weight", "Down", 0, false)]
    [InlineData("layers.0.ffn.net.0.weight", "Up", 0, false)]
    [InlineData("transformer_layers.0.mlp.2.bias", "Down", 0, true)]
    [InlineData("layers.7.ln1.weight", "AttentionNorm", 7, false)]
    [InlineData("layers.7.ln_2.bias", "MlpNorm", 7, true)]
    [InlineData("layers.7.post_attention_layernorm.weight", "MlpNorm", 7, false)]
    [InlineData("model.norm.weight", "FinalNorm", -1, false)]
    [InlineData("final_layernorm.bias", "FinalNorm", -1, true)]
    [InlineData("lm_head.bias", "Head", -1, true)]
    [InlineData("model.layers.4.mlp.up_proj.weight", "Up", 4, false)]
    [InlineData("model.layers.4.mlp.down_proj.bias", "Down", 4, true)]
    [InlineData("layers.2.mlp.dense_4h_to_h.weight", "Down", 2, false)]
    [InlineData("layers.2.attention_norm.weight", "AttentionNorm", 2, false)]
    [InlineData("layers.2.ffn_norm.weight", "MlpNorm", 2, false)]
    [InlineData("code_affine.A", "CodeMatrix", -1, false)]
    [InlineData("model.affine_matrix", "CodeMatrix", -1, false)]
    [InlineData("code_offset", "CodeOffset", -1, false)]
    [InlineData("b", "CodeOffset", -1, false)]
    [InlineData("layers.0.self_attn.rotary_emb.inv_freq", "Buffer", -1, false)]
    [InlineData("h.0.attn.bias", "Buffer", -1, false)]
    [InlineData("layers.0.self_attn.causal_mask", "Buffer", -1, false)]
    public void Classify_KnownSpelling_GivesItsRole(string name, string role, int layer, bool isBias)
    {
        TensorKey? key = TensorNames.Classify(name);
        Assert.NotNull(key);
        Assert.Equal((role, layer, isBias), (key.Value.Role.ToString(), key.Value.Layer, key.Value.IsBias));
    }

    [Theory]
    [InlineData("layers.0.mlp.w3.weight")]
    [InlineData("lm_head.weight\n")]
    [InlineData("layers.99999.ln1.weight")]
    [InlineData("a.b.lm_head.weight")]
    [InlineData("layers.0.mlp.gate_proj.weight")]
    [InlineData("")]
    public void Classify_UnknownName_GivesNothing(string name) => Assert.Null(TensorNames.Classify(name));

    [Theory]
    [InlineData("experts.0.lm_head.weight", "experts.0", "Head")]
    [InlineData("module.experts.11.transformer_layers.3.mlp.0.weight", "experts.11", "Up")]
    [InlineData("model1.model.layers.0.ln1.weight", "model1", "AttentionNorm")]
    [InlineData("expert_ru.token_embeddings.weight", "expert_ru", "Embedding")]
    [InlineData("_orig_mod.lm_head.bias", "_orig_mod", "Head")]
    [InlineData("transformer_layers_2.0.self_attn.q_proj.weight", "_2", "Query")]
    [InlineData("lm_head_1.weight", "_1", "Head")]
    [InlineData("model.layers.0.ln1.weight", "", "AttentionNorm")]
    [InlineData("token_embeddings.weight", "", "Embedding")]
    public void Place_NameOfAnExpert_TellsWhichAndWhat(string name, string expert, string role)
    {
        TensorPlace? place = TensorNames.Place(name);
        Assert.NotNull(place);
        Assert.Equal((expert, role), (place.Value.Expert, place.Value.Key.Role.ToString()));
    }

    [Theory]
    [InlineData("layers.0.mlp.w3.weight")]
    [InlineData("transformer_layers.0.norm.weight")]
    [InlineData("model.layers.0.attn.norm.weight")]
    [InlineData("a.b.lm_head.weight")]
    [InlineData("layers.0.mlp.gate_proj.weight")]
    [InlineData("experts.lm_head")]
    public void Place_UnknownName_GivesNothing(string name) => Assert.Null(TensorNames.Place(name));
}
