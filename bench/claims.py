#!/usr/bin/env python3
"""What averaging experts does to the text of each: bits per character of the bundled experts and their ensembles.

    claims.py en-valid.txt ru-valid.txt zh-valid.txt --server 'dotnet run -c Release --project src/Server --'

Every text is cut in two. On the first parts, their lines mixed, the weights of the three experts are chosen from a grid; all
figures are of the second parts. Prints a Markdown table.
"""
import argparse, itertools, json, os, shlex, subprocess, tempfile

EXPERTS = ["glyph-en", "glyph-ru", "glyph-zh"]


def lines_mixed(texts):
    """The texts' lines interleaved: the next line always from the text that gave the fewest characters, until one has none."""
    left, given, mixed = [iter(t.splitlines(keepends=True)) for t in texts], [0] * len(texts), []
    while (line := next(left[least := given.index(min(given))], None)) is not None:
        mixed.append(line); given[least] += len(line)
    return "".join(mixed)


def ensemble(weights, combine):
    return dict(experts=[dict(model=m, weight=w) for m, w in zip(EXPERTS, weights) if w > 0], combine=combine)


def evaluate(a, ensembles, models, texts):
    """{(model, text): bits per character}, for models of a folder of links with these named ensembles."""
    with tempfile.TemporaryDirectory() as folder:
        for name in [*EXPERTS, "substrates"]: os.symlink(os.path.abspath(os.path.join(a.models, name)), os.path.join(folder, name))
        with open(os.path.join(folder, "ensembles.json"), "w") as f: json.dump(ensembles, f)
        files = []
        for name, text in texts.items():
            files.append(os.path.join(folder, name + ".txt"))
            with open(files[-1], "w", encoding="utf-8", newline="") as f: f.write(text)
        command = [*shlex.split(a.server), "eval", "--format", "json", "--models", folder, *itertools.chain(*(("--model", m) for m in models)), *files]
        results = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["texts"]
    return {(r["model"], r["text"][:-4]): r["bits_per_character"] for r in results}


def main(a):
    texts = [open(f, encoding="utf-8").read() for f in a.texts]
    tuning = lines_mixed([t[:a.chars // 2] for t in texts])
    held_out = {name: t[len(t) // 2:][:a.chars] for name, t in zip(("English", "Russian", "Chinese"), texts)}
    held_out["mixed"] = lines_mixed([t[len(t) // 2:][:a.chars] for t in texts])
    grid = [w for w in itertools.product(range(1, 11), repeat=3) if sum(w) == 10]
    rows = {m: m for m in EXPERTS}
    ensembles = {}
    for combine in ("logits", "probs"):
        named = {f"{combine}-{'-'.join(map(str, w))}": ensemble(w, combine) for w in grid}
        tuned = evaluate(a, named, list(named), {"tuning": tuning})
        best = min(named, key=lambda name: tuned[name, "tuning"]["value"])
        weights = " : ".join(best.split("-")[1:])
        for name, what, label in ((f"en-ru-{combine}", ensemble((1, 1, 0), combine), "en + ru, equal"), (f"all-{combine}", ensemble((1, 1, 1), combine), "all three, equal"),
                                  (f"tuned-{combine}", named[best], f"all three, tuned {weights}")):
            ensembles[name], rows[name] = what, f"{label}, mean of {'probabilities' if combine == 'probs' else 'logits'}"
    figures = evaluate(a, ensembles, list(rows), held_out)
    print("| who | " + " | ".join(held_out) + " |\n|---|" + "---|" * len(held_out))
    for name, label in rows.items():
        print(f"| {label} | " + " | ".join(f"{figures[name, t]['value']:.3f}" for t in held_out) + " |")


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("texts", nargs=3, help="English, Russian and Chinese text that no expert was trained on")
    p.add_argument("--server", default="dotnet run -c Release --project src/Server --"); p.add_argument("--models", default="models")
    p.add_argument("--chars", type=int, default=40_000, help="of each text, in either part")
    main(p.parse_args())
