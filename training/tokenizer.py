#!/usr/bin/env python3
"""Makes the one tokenizer that all experts of the family share, and encodes texts with it.

    tokenizer.py train tokenizer.json --english en.txt --russian ru.txt --chinese zh.txt
    tokenizer.py encode tokenizer.json data/en-train.npy en.txt        (.txt or .txt.xz -> uint16 ids)

The result is a Hugging Face tokenizer.json: BPE over the whole text, no normalizer, no pre-tokenizer. BPE then runs
across everything, so the *merges* have to know what a word is. They are learned on words only, where a word is a run of
letters of one script with at most one space before it; hence no merge can cross a word, and every digit, punctuation
mark and newline stays a token of its own. A token is drawn into one square cell, so it is at most five characters.

Same texts, same options: the same file, byte for byte.
"""
import argparse, collections, heapq, json, lzma, re, unicodedata

SPECIAL = ["<pad>", "<s>", "</s>", "<unk>"]
WORDS = {"english": r" ?[A-Za-z]+", "russian": r" ?[А-Яа-яЁё]+", "chinese": r"[\u4e00-\u9fff]+"}
CJK_PUNCTUATION = "，。：；？！、“”‘’《》〈〉「」『』（）—…·─～"


def read(path):
    opened = lzma.open(path, "rt", encoding="utf-8") if path.endswith(".xz") else open(path, encoding="utf-8")
    with opened as f: return f.read()


def learn(text, word_pattern, count, longest, taken):
    """The `count` most useful merges [(left, right)] in the order they were learned, skipping any result in `taken`.

    A heap of stale counts: a popped pair whose count has changed since is pushed back with its true count. Equal counts
    are ordered by the pair itself, which makes the outcome independent of hashing.
    """
    words = [[list(w), n] for w, n in sorted(collections.Counter(re.findall(word_pattern, text)).items())]
    pairs, where = collections.Counter(), collections.defaultdict(set)
    for i, (parts, n) in enumerate(words):
        for pair in zip(parts, parts[1:]): pairs[pair] += n; where[pair].add(i)
    heap = [(-n, pair) for pair, n in pairs.items()]; heapq.heapify(heap)
    merges = []
    while heap and len(merges) < count:
        n, pair = heapq.heappop(heap)
        if pairs[pair] != -n:
            if pairs[pair] > 0: heapq.heappush(heap, (-pairs[pair], pair))
            continue
        joined = pair[0] + pair[1]
        if len(joined.lstrip(" ")) > longest or joined in taken: continue
        merges.append(pair); taken.add(joined)
        for i in sorted(where.pop(pair)):
            parts, times = words[i]
            for p in zip(parts, parts[1:]): pairs[p] -= times
            words[i][0] = parts = join(parts, pair)
            for p in zip(parts, parts[1:]):
                pairs[p] += times
                if i not in where[p]: where[p].add(i); heapq.heappush(heap, (-pairs[p], p))
    return merges


def join(parts, pair):
    out, i = [], 0
    while i < len(parts):
        if tuple(parts[i:i + 2]) == pair: out.append(parts[i] + parts[i + 1]); i += 2
        else: out.append(parts[i]); i += 1
    return out


def alphabet(texts, size):
    """`size` single characters: the two alphabets whole, then whatever the texts use, the most frequent first."""
    fixed = ["\n"] + [chr(c) for c in range(32, 127)] + [chr(c) for c in range(0x410, 0x450)] + ["Ё", "ё"] + list(CJK_PUNCTUATION)
    counts = {name: collections.Counter(text) for name, text in texts.items()}
    usable = lambda c: c not in fixed and unicodedata.category(c)[0] not in "CZM" and ord(c) < 0x10000
    fixed += sorted({c for name in ("english", "russian") for c, n in counts[name].items() if n >= 3 and usable(c)})
    rest = sorted(((-n, c) for c, n in counts["chinese"].items() if usable(c)))
    return fixed + sorted(c for _, c in rest[:size - len(fixed)])


def train(a):
    texts = {name: read(getattr(a, name)) for name in WORDS}
    number = {"english": a.english_merges, "russian": a.russian_merges, "chinese": a.chinese_merges}
    letters = alphabet(texts, a.vocab - len(SPECIAL) - sum(number.values()))
    dropped = json.load(open(a.drop, encoding="utf-8")) if a.drop else []
    known, taken, merges = set(letters), set(dropped), []
    for name, pattern in WORDS.items():
        learned = learn("".join(c if c in known else "\n" for c in texts[name]), pattern, number[name], a.longest, taken)
        if len(learned) < number[name]: raise SystemExit(f"{name}: the text yields only {len(learned)} merges, {number[name]} were asked for")
        merges += learned
    vocab = SPECIAL + letters + [left + right for left, right in merges]
    if len(set(vocab)) != a.vocab: raise SystemExit(f"expected {a.vocab} distinct tokens, made {len(set(vocab))}")
    special = [dict(id=i, content=t, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True) for i, t in enumerate(SPECIAL)]
    model = dict(type="BPE", dropout=None, unk_token="<unk>", continuing_subword_prefix=None, end_of_word_suffix=None, fuse_unk=False,
                 byte_fallback=False, ignore_merges=False, vocab={t: i for i, t in enumerate(vocab)}, merges=merges)
    whole = dict(version="1.0", truncation=None, padding=None, added_tokens=special, normalizer=None, pre_tokenizer=None, post_processor=None,
                 decoder=dict(type="Sequence", decoders=[]), model=model)
    with open(a.tokenizer, "w", encoding="utf-8") as f: json.dump(whole, f, ensure_ascii=False, indent=0)
    print(f"{a.tokenizer}: {len(vocab)} tokens = {len(SPECIAL)} special + {len(letters)} characters + {len(merges)} merges {number}")


def encode(a):
    """Line by line, because no merge crosses a newline: exact, and BPE over a whole book at once would be slow."""
    import numpy as np, tokenizers
    tokenizer, text = tokenizers.Tokenizer.from_file(a.tokenizer), read(a.text)
    lines = tokenizer.encode_batch(re.findall(r"[^\n]*\n|[^\n]+", text))
    ids = np.fromiter((i for line in lines for i in line.ids), dtype=np.uint16)
    np.save(a.ids, ids)
    print(f"{a.ids}: {len(ids):,} tokens, {len(text) / len(ids):.3f} characters a token, {(ids == 3).mean():.4%} unknown")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    p = commands.add_parser("train"); p.set_defaults(run=train); p.add_argument("tokenizer")
    for name in WORDS: p.add_argument(f"--{name}", required=True, metavar="TEXT")
    p.add_argument("--vocab", type=int, default=8192); p.add_argument("--longest", type=int, default=5, help="characters in a token, a leading space not counted")
    p.add_argument("--english-merges", type=int, default=1300); p.add_argument("--russian-merges", type=int, default=1450); p.add_argument("--chinese-merges", type=int, default=538)
    p.add_argument("--drop", metavar="JSON", help="file with a list of tokens to leave out, as their pictures equal others' (same_pictures.py)")
    p = commands.add_parser("encode"); p.set_defaults(run=encode); p.add_argument("tokenizer"); p.add_argument("ids"); p.add_argument("text")
    a = parser.parse_args(); a.run(a)
