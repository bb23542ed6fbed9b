#!/usr/bin/env python3
"""Bits per character of an exported checkpoint over a whole validation text.

    evaluate.py models/glyph-en substrate/ en-valid.txt data/en-valid.npy --run runs/glyph-en --out models/glyph-en/numbers.json

The stored (bfloat16) weights run in float32. Windows of 512 tokens advance by 256, so that every token but the first few is
predicted from 256 to 511 tokens before it; the text's very first token is given. An <unk> hides which character it was:
each is charged log2(20,000) = 14.3 bits on top, the cost of naming one of 20,000 characters.
"""
import argparse, datetime, json, math, os, platform
import numpy as np
import torch
from checkpoint import Checkpoint
from tokenizer import read

WINDOW, STRIDE, UNKNOWN, UNKNOWN_BITS = 512, 256, 3, math.log2(20_000)


def nats(model, ids, rows=4):
    """Summed -log p of ids[1:], each token counted once, in the window where it has the most context."""
    total, starts = 0.0, range(0, max(1, len(ids) - 1 - (WINDOW - STRIDE)), STRIDE)
    for i in range(0, len(starts), rows):
        for start, block in batch(ids, starts[i:i + rows]):
            fresh = 0 if start == 0 else WINDOW - STRIDE         # the window's first half was counted by the window before it
            logits = model.logits(block[:, :-1])[:, fresh:].flatten(0, 1)
            total += torch.nn.functional.cross_entropy(logits, block[:, 1 + fresh:].flatten(), reduction="sum").double().item()
    return total


def batch(ids, starts):
    """Whole windows after the first together, the first and a shorter last one alone."""
    whole = [s for s in starts if s > 0 and s + WINDOW < len(ids)]
    if whole: yield whole[0], torch.stack([ids[s:s + WINDOW + 1] for s in whole])
    for s in starts:
        if s not in whole: yield s, ids[None, s:s + WINDOW + 1]


def evaluate(a):
    torch.set_num_threads(a.threads)
    model, text, ids = Checkpoint(a.checkpoint, a.substrate), read(a.text), torch.from_numpy(np.load(a.ids).astype(np.int64))
    loss, unknown = nats(model, ids), int((ids == UNKNOWN).sum())
    numbers = dict(bits_per_character=round((loss / math.log(2) + unknown * UNKNOWN_BITS) / len(text), 4), nats_per_token=round(loss / (len(ids) - 1), 4),
                   characters=len(text), tokens=len(ids), unknown_tokens=unknown, window=WINDOW, stride=STRIDE,
                   parameters=sum(t.numel() for t in model.tensors.values()))
    if a.run:
        with open(os.path.join(a.run, "history.json")) as f: history = json.load(f)
        numbers |= dict(trained_tokens=history["tokens"], trained_steps=history["step"], trained_minutes=round(history["seconds"] / 60, 1))
    numbers |= dict(machine=a.machine or platform.machine(), date=datetime.date.today().isoformat())
    if a.out:
        with open(a.out, "w", encoding="utf-8") as f: json.dump(numbers, f, indent=2); f.write("\n")
    print(json.dumps(numbers, indent=2))


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("checkpoint"); p.add_argument("substrate"); p.add_argument("text", help="the validation text"); p.add_argument("ids", help="the same, encoded")
    p.add_argument("--run", help="the run it came from, for the record of its cost"); p.add_argument("--out", help="write the numbers here")
    p.add_argument("--machine", help="a few words on where it was trained"); p.add_argument("--threads", type=int, default=os.cpu_count())
    evaluate(p.parse_args())
