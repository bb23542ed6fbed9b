#!/usr/bin/env python3
"""Writes a checkpoint's model card from its numbers, with two continuations of a prompt.

    card.py models/glyph-en substrate/ --language English --prompt "It was a dark night"
"""
import argparse, json, os
import tokenizers
from checkpoint import Checkpoint
from sample import continuation

HERE = os.path.dirname(os.path.abspath(__file__))


def card(a):
    model, tokenizer = Checkpoint(a.checkpoint, a.substrate), tokenizers.Tokenizer.from_file(os.path.join(a.substrate, "tokenizer.json"))
    with open(os.path.join(a.checkpoint, "numbers.json"), encoding="utf-8") as f: numbers = json.load(f)
    with open(os.path.join(HERE, "card.md"), encoding="utf-8") as f: template = f.read()
    samples = []
    for temperature, label in ((0, "Always the likeliest token"), (0.8, "Temperature 0.8")):
        text = continuation(model, tokenizer, a.prompt, 120, temperature, seed=1)
        samples.append(f"{label}:\n\n> **{a.prompt}**" + "\n>\n> ".join(line for line in text.split("\n") if line.strip()))
    config, unit = model.config, numbers.pop("parameters")
    filled = template.format(**numbers, name=os.path.basename(a.checkpoint.rstrip("/")), language=a.language, parameters=f"{unit:,}", layers=config["n_layer"],
                             width=config["d_model"], heads=config["n_head"], context=config["block_size"], substrate=config["substrate"], samples="\n\n".join(samples))
    with open(os.path.join(a.checkpoint, "README.md"), "w", encoding="utf-8") as f: f.write(filled)


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("checkpoint"); p.add_argument("substrate"); p.add_argument("--language", required=True); p.add_argument("--prompt", required=True)
    card(p.parse_args())
