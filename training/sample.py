#!/usr/bin/env python3
"""Lets an exported checkpoint continue a text.

    sample.py models/glyph-en substrate/ "It was a dark night" --tokens 120 --temperature 0.8
"""
import argparse, os
import tokenizers
import torch
from checkpoint import Checkpoint


def continuation(model, tokenizer, prompt, tokens, temperature, seed):
    ids, random = tokenizer.encode(prompt).ids, torch.Generator().manual_seed(seed)
    start = len(ids)
    while len(ids) < start + tokens:
        logits = model.logits(torch.tensor([ids[-model.config["block_size"]:]]))[0, -1]
        ids.append(int(logits.argmax() if temperature == 0 else torch.multinomial((logits / temperature).softmax(-1), 1, generator=random)))
    return tokenizer.decode(ids[start:])


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("checkpoint"); p.add_argument("substrate"); p.add_argument("prompt")
    p.add_argument("--tokens", type=int, default=100); p.add_argument("--temperature", type=float, default=0.8, help="0: always the likeliest token"); p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()
    model, tokenizer = Checkpoint(a.checkpoint, a.substrate), tokenizers.Tokenizer.from_file(os.path.join(a.substrate, "tokenizer.json"))
    print(a.prompt + continuation(model, tokenizer, a.prompt, a.tokens, a.temperature, a.seed))
