#!/usr/bin/env python3
"""What plain PyTorch makes of an exported checkpoint: the answers that the server's tests compare its own with.

    golden.py models/glyph-en substrate/ "It was a dark night, and" > glyph-en.json
"""
import argparse, json, os
import tokenizers
import torch
from checkpoint import Checkpoint

GREEDY_TOKENS = 24

if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("checkpoint"); p.add_argument("substrate"); p.add_argument("prompt")
    a = p.parse_args()
    model, tokenizer = Checkpoint(a.checkpoint, a.substrate), tokenizers.Tokenizer.from_file(os.path.join(a.substrate, "tokenizer.json"))
    ids = tokenizer.encode(a.prompt).ids
    longer = list(ids)
    for _ in range(GREEDY_TOKENS): longer.append(int(model.logits(torch.tensor([longer]))[0, -1].argmax()))
    scores = model.logits(torch.tensor([longer]))[0].log_softmax(-1)
    logprobs = [round(float(scores[i, t]), 6) for i, t in enumerate(longer[1:])]
    print(json.dumps(dict(prompt=a.prompt, ids=ids, greedy=longer[len(ids):], text=tokenizer.decode(longer), logprobs=logprobs), ensure_ascii=False))
