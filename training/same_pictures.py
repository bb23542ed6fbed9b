#!/usr/bin/env python3
"""Finds n-grams that look alike: a token is squeezed into one cell, and there two long ones can become the same picture.

    same_pictures.py substrate/            prints, as JSON, the tokens to hand to `tokenizer.py train --drop`

Of those that share a picture within one language the first stays. Dropping merges frees places for others, so repeat
(tokenizer, table, this) until the list is empty, always with the whole list so far: `--already drop.json`.
"""
import argparse, json, os, re
from safetensors.numpy import load_file


def language(token): return "english" if re.search("[A-Za-z]", token) else "russian" if re.search("[А-Яа-яЁё]", token) else "chinese"


def same(substrate):
    with open(os.path.join(substrate, "tokenizer.json"), encoding="utf-8") as f: vocab = json.load(f)["model"]["vocab"]
    bits = load_file(os.path.join(substrate, "table.safetensors"))["bits"]
    first = {}
    for token, i in sorted(vocab.items(), key=lambda entry: entry[1]):
        if len(token) > 1 and first.setdefault((language(token), bits[i].tobytes()), token) != token: yield token


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("substrate"); p.add_argument("--already", help="a list from before, to be continued")
    a = p.parse_args()
    before = json.load(open(a.already, encoding="utf-8")) if a.already else []
    print(json.dumps(before + list(same(a.substrate)), ensure_ascii=False))
