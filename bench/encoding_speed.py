#!/usr/bin/env python3
"""Encodes texts with the Hugging Face tokenizers library on one thread and prints, a line each: file, characters, tokens, SHA-256
of the ids (int32, little-endian), and the best of five runs in millions of characters a second. bench/Tokenizers does the same:

    bench/encoding_speed.py tokenizer.json TEXT...
"""
import array, hashlib, os, sys, time
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
from tokenizers import Tokenizer

if __name__ == "__main__":
    if len(sys.argv) < 3: raise SystemExit(__doc__)
    tokenizer = Tokenizer.from_file(sys.argv[1])
    for path in sys.argv[2:]:
        text = open(path, encoding="utf-8", newline="").read()
        encode = lambda: tokenizer.encode(text, add_special_tokens=False)
        ids = encode().ids
        best = 1e9
        for _ in range(5):
            start = time.perf_counter(); encode(); best = min(best, time.perf_counter() - start)
        print(os.path.basename(path), len(text), len(ids), hashlib.sha256(array.array("i", ids).tobytes()).hexdigest()[:16], f"{len(text) / best / 1e6:.2f}")
