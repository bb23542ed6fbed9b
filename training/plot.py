#!/usr/bin/env python3
"""Draws a run's loss over the tokens seen.

    plot.py runs/glyph-en curve.png --title glyph-en
"""
import argparse, json, os
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt


def plot(run, out, title):
    with open(os.path.join(run, "history.json")) as f: history = json.load(f)["history"][1:]      # without the loss before training
    tokens = [h["tokens"] / 1e6 for h in history]
    figure, axes = plt.subplots(figsize=(6.4, 3.6), dpi=100, layout="constrained")
    axes.plot(tokens, [h["train"] for h in history], color="#9aa5b1", linewidth=1.2, label="training text (running mean)")
    axes.plot(tokens, [h["valid"] for h in history], color="#1f5fa8", linewidth=1.8, label="validation text")
    axes.annotate(f"{history[-1]['valid']:.2f}", (tokens[-1], history[-1]["valid"]), xytext=(4, 0), textcoords="offset points", va="center", color="#1f5fa8")
    axes.set(title=title, xlabel="million tokens seen", ylabel="loss, nats a token")
    axes.grid(alpha=0.25); axes.spines[["top", "right"]].set_visible(False); axes.legend(frameon=False)
    figure.savefig(out); print(f"{out}: {os.path.getsize(out):,} bytes")


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("run"); p.add_argument("out"); p.add_argument("--title", default="")
    a = p.parse_args()
    plot(a.run, a.out, a.title or os.path.basename(a.run.rstrip("/")))
