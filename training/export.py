#!/usr/bin/env python3
"""Writes a run as a checkpoint: config.json and model.safetensors (bfloat16), which name the frozen table and do not contain it.

    export.py runs/glyph-en substrate/ data/en-train.npy models/glyph-en

Tokens that the training text lacks get a logit of their own: constant, and so low that together they hold about a thousandth
of the probability. A model alone loses 0.0014 bits a token by that. It must not be much lower, though: when the logits of two
experts are averaged, a language that one of them never saw has to survive that one's vote.
"""
import argparse, json, math, os
import numpy as np
import torch
from safetensors.torch import load_file, save_file
from model import Expert

BLOCK_SIZE, BYTES_AT_MOST, UNUSED_SHARE = 512, 12_000_000, 1e-3


def restore(run, substrate):
    """The model as a run last saved it."""
    saved = torch.load(os.path.join(run, "state.pt"), map_location="cpu", weights_only=False)
    table = load_file(os.path.join(substrate, "table.safetensors"))["embeddings"]
    model = Expert(table, saved["model"]["used"], saved["arguments"]["layers"], saved["arguments"]["context"])
    model.load_state_dict(saved["model"])
    return model.eval()


@torch.no_grad()
def unused_bias(model, ids, windows=16):
    """The logit that gives all unused tokens together UNUSED_SHARE of the probability, on average over windows of a text."""
    starts = np.linspace(0, len(ids) - BLOCK_SIZE, windows).astype(int)
    with torch.autocast("cpu", torch.bfloat16): logits = model(torch.stack([ids[s:s + BLOCK_SIZE] for s in starts]))
    total = logits.float().logsumexp(-1).mean().item()
    return total + math.log(UNUSED_SHARE / max(1, len(model.table) - len(model.used)))


def export(run, substrate, ids, out):
    model = restore(run, substrate)
    with open(os.path.join(substrate, "table.json"), encoding="utf-8") as f: fingerprint = json.load(f)["fingerprint"]
    rows, width = model.table.shape
    config = dict(model_type="glyph", vocab_size=rows, n_embed=width, d_model=width, n_head=width // 32, n_layer=len(model.blocks), block_size=BLOCK_SIZE,
                  bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>", torch_dtype="bfloat16", substrate=fingerprint)
    tensors = {name: t.detach().to(torch.bfloat16).contiguous() for name, t in model.tensors(unused_bias(model, ids)).items()}
    os.makedirs(out, exist_ok=True)
    with open(os.path.join(out, "config.json"), "w", encoding="utf-8") as f: json.dump(config, f, indent=2); f.write("\n")
    path = os.path.join(out, "model.safetensors")
    save_file(tensors, path, metadata={"format": "pt"})
    size = os.path.getsize(path)
    if size > BYTES_AT_MOST: raise SystemExit(f"{path}: {size:,} bytes, at most {BYTES_AT_MOST:,} are allowed; train fewer layers or a smaller vocabulary")
    print(f"{path}: {sum(t.numel() for t in tensors.values()):,} parameters, {size:,} bytes; {len(model.used):,} of {rows:,} tokens occur in the training text")


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("run"); p.add_argument("substrate"); p.add_argument("ids", help="a text of its language, encoded"); p.add_argument("out")
    a = p.parse_args()
    export(a.run, a.substrate, torch.from_numpy(np.load(a.ids).astype(np.int64)), a.out)
