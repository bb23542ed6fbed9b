"""An exported checkpoint in plain float32 PyTorch: what evaluate.py and sample.py run. Nothing here knows about training."""
import json, math, os
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from attention import angles

HEAD_SIZE = 32


class Checkpoint:
    def __init__(self, folder, substrate):
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as f: self.config = json.load(f)
        with open(os.path.join(substrate, "table.json"), encoding="utf-8") as f: fingerprint = json.load(f)["fingerprint"]
        if self.config["substrate"] != fingerprint: raise SystemExit(f"{folder} stands on table {self.config['substrate']}, {substrate} holds {fingerprint}")
        self.table = load_file(os.path.join(substrate, "table.safetensors"))["embeddings"]
        self.tensors = {name: t.float() for name, t in load_file(os.path.join(folder, "model.safetensors")).items()}

    def linear(self, x, name): return F.linear(x, self.tensors[name + ".weight"], self.tensors.get(name + ".bias"))

    def norm(self, x, name): return F.layer_norm(x, x.shape[-1:], self.tensors[name + ".weight"], self.tensors[name + ".bias"])

    @torch.no_grad()
    def logits(self, ids):
        """ids [B, T] -> logits [B, T, V]."""
        x = self.table[ids]
        for i in range(self.config["n_layer"]):
            p = f"transformer_layers.{i}."
            x = x + self.attention(self.norm(x, p + "input_layernorm"), p + "self_attn.")
            x = x + self.linear(F.gelu(self.linear(self.norm(x, p + "post_attention_layernorm"), p + "mlp.0")), p + "mlp.2")
        return self.linear(self.norm(x, "final_layernorm"), "lm_head")

    def attention(self, x, p):
        B, T, width = x.shape
        cos, sin = angles(T, HEAD_SIZE)
        q, k, v = (self.linear(x, p + n + "_proj").view(B, T, width // HEAD_SIZE, HEAD_SIZE).transpose(1, 2) for n in "qkv")

        def rotate(z):
            a, b = z.chunk(2, -1)
            return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)

        later = torch.full((T, T), -math.inf).triu(1)
        mixed = (rotate(q) @ rotate(k).transpose(2, 3) / HEAD_SIZE ** 0.5 + later).softmax(-1) @ v
        return self.linear(mixed.transpose(1, 2).reshape(B, T, width), p + "o_proj")
