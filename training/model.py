"""The transformer of the frozen-embedding family (pre-norm, rotary, exact GELU, untied head), as it is trained."""
import math
import torch
import torch.nn as nn
import torch.nn.functional as F
from attention import angles, attend

HEAD_SIZE = 32


class Block(nn.Module):
    def __init__(self, width, dropout):
        super().__init__()
        self.dropout = dropout
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv = nn.Parameter(torch.empty(3, width, width).uniform_(-1, 1) / math.sqrt(width))
        self.o = nn.Parameter(torch.zeros(width, width))        # a block starts as the identity
        self.up = nn.Parameter(torch.empty(4 * width, width).uniform_(-1, 1) / math.sqrt(width))
        self.down = nn.Parameter(torch.zeros(width, 4 * width))
        self.up_bias, self.down_bias = nn.Parameter(torch.zeros(4 * width)), nn.Parameter(torch.zeros(width))

    def matrices(self): return [self.qkv, self.o, self.up, self.down]

    def forward(self, x, cos, sin):
        B, T, width = x.shape
        qkv = F.linear(self.norm1(x), self.qkv.flatten(0, 1)).view(B, T, 3, width // HEAD_SIZE, HEAD_SIZE)
        x = x + self.drop(F.linear(attend(qkv, cos, sin).flatten(2), self.o))
        return x + self.drop(F.linear(F.gelu(F.linear(self.norm2(x), self.up, self.up_bias)), self.down, self.down_bias))

    def drop(self, x): return F.dropout(x, self.dropout, self.training)


class Expert(nn.Module):
    """Reads any token of the shared table; predicts only those in `used`, the tokens of its own language. The head's other
    rows could learn nothing from texts in which their tokens never occur, and leaving them out saves up to a third of the work."""

    def __init__(self, table, used, layers, context, dropout=0.0, frozen=0):
        super().__init__()
        width, self.frozen = table.shape[1], frozen             # the first `frozen` blocks belong to an earlier stage of growth
        self.register_buffer("table", table, persistent=False)
        self.register_buffer("used", used)
        for name, value in zip(("cos", "sin"), angles(context, HEAD_SIZE)): self.register_buffer(name, value, persistent=False)
        self.blocks = nn.ModuleList(Block(width, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head, self.head_bias = nn.Parameter(torch.zeros(len(used), width)), nn.Parameter(torch.zeros(len(used)))
        self.blocks[:frozen].requires_grad_(False)

    def grow_from(self, earlier):
        """Takes over what an earlier stage (its state dict) has learned: its blocks for ever, rounded to bfloat16 as its checkpoint
        stores them, and its final norm and head to start from. The new block is the identity, so the loss goes on where it stood."""
        known = {name: t.bfloat16().float() if name.startswith("blocks.") else t for name, t in earlier.items()}
        self.load_state_dict(self.state_dict() | known)

    def train(self, mode=True):
        super().train(mode)
        self.blocks[:self.frozen].eval()                        # no dropout where nothing learns
        return self

    def forward(self, ids):
        """ids [B, T] -> logits [B, T, len(used)]."""
        x, T = self.table[ids], ids.shape[1]
        cos, sin = self.cos[:T].contiguous(), self.sin[:T].contiguous()
        with torch.no_grad():
            for block in self.blocks[:self.frozen]: x = block(x, cos, sin)
        for block in self.blocks[self.frozen:]: x = block(x, cos, sin)
        return F.linear(self.norm(x), self.head, self.head_bias)

    def tensors(self, unused_bias):
        """The checkpoint, under the family's names. Tokens that are not in `used` get a row of zeros and this bias."""
        d = self.table.shape[1]
        out = {}
        for i, b in enumerate(self.blocks):
            p = f"transformer_layers.{i}."
            for j, n in enumerate("qkv"): out[p + f"self_attn.{n}_proj.weight"] = b.qkv[j]
            out |= {p + "self_attn.o_proj.weight": b.o, p + "mlp.0.weight": b.up, p + "mlp.0.bias": b.up_bias, p + "mlp.2.weight": b.down, p + "mlp.2.bias": b.down_bias,
                    p + "input_layernorm.weight": b.norm1.weight, p + "input_layernorm.bias": b.norm1.bias,
                    p + "post_attention_layernorm.weight": b.norm2.weight, p + "post_attention_layernorm.bias": b.norm2.bias}
        head, bias = torch.zeros(len(self.table), d), torch.full((len(self.table),), unused_bias)
        head[self.used], bias[self.used] = self.head.detach(), self.head_bias.detach()
        return out | {"final_layernorm.weight": self.norm.weight, "final_layernorm.bias": self.norm.bias, "lm_head.weight": head, "lm_head.bias": bias}
