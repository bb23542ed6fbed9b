#!/usr/bin/env python3
"""Trains one expert on a substrate (frozen table + tokenizer) for a number of tokens.

    train.py runs/glyph-en --table substrate/table.safetensors --train en-train.npy --valid en-valid.npy --tokens 20e6

With --grow RUN it adds one block to a finished run: only that block, the final norm and the head are trained.
Stop it at any time and give the same command again: it goes on from the last saved state. Writes state.pt and
history.json into the run's folder. On a CPU that does other work too, one thread is faster than two that wait for each other.
"""
import argparse, json, os, time
import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from model import Expert
from muon import Muon

SAVE_SECONDS, MEASURE_SECONDS = 120, 60


def batches(ids, tokens, context, generator):
    """Random windows: inputs and targets [tokens / context, context]."""
    start = torch.randint(0, len(ids) - context - 1, (tokens // context,), generator=generator)
    window = ids[start[:, None] + torch.arange(context + 1)]
    return window[:, :-1], window[:, 1:]


@torch.no_grad()
def measure(model, ids, context, local, windows=64):
    """Mean loss in nats a token over the first windows of the validation text: quick, for the curve only."""
    windows = min(windows, (len(ids) - 1) // context)
    if windows == 0: raise SystemExit(f"The validation text needs more than {context} tokens, but has {len(ids)}.")
    take = ids[:windows * context + 1]
    x, y = take[:-1].view(-1, context), take[1:].view(-1, context)
    total = 0
    for i in range(0, len(x), 16):
        logits = model(x[i:i + 16]).float().flatten(0, 1)
        target = local[y[i:i + 16]].flatten()
        total += F.cross_entropy(logits, target, reduction="sum", ignore_index=-1).item()
    return total / y.numel()


class CrossEntropy(torch.autograd.Function):
    """Mean loss in nats. The forward pass keeps the softmax, which makes the backward pass one subtraction."""

    @staticmethod
    def forward(context, logits, targets):
        p = logits.float().softmax(-1)
        context.save_for_backward(p, targets)
        context.dtype = logits.dtype
        return -p.gather(1, targets[:, None]).clamp_min(1e-30).log().mean()

    @staticmethod
    def backward(context, grad):
        p, targets = context.saved_tensors
        p[torch.arange(len(targets), device=p.device), targets] -= 1
        return p.mul_(grad / len(targets)).to(context.dtype), None


def rate(spent):
    """Share of the peak learning rate: a short rise, a plateau, then straight down to zero."""
    return min(1, (spent + 1e-4) / 0.01, (1 - spent) / 0.7)


def main(a):
    os.makedirs(a.run, exist_ok=True)
    torch.manual_seed(a.seed)
    torch.set_num_threads(a.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    train, valid = (torch.from_numpy(np.load(f).astype(np.int64)).to(device) for f in (a.train, a.valid))
    table = load_file(a.table)["embeddings"]
    used = train.unique()
    local = torch.full((len(table),), -1, device=device)
    local[used] = torch.arange(len(used), device=device)
    earlier = torch.load(os.path.join(a.grow, "state.pt"), map_location=device, weights_only=False)["model"] if a.grow else None
    model = Expert(table, used, a.layers, a.context, a.dropout, frozen=a.layers - 1 if a.grow else 0).to(device)
    if earlier: model.grow_from(earlier)
    matrices = [m for b in model.blocks[model.frozen:] for m in b.matrices()]
    rest = [p for p in model.parameters() if p.requires_grad and not any(p is m for m in matrices)]
    optimizers = [Muon(matrices, a.lr_muon, weight_decay=a.decay), torch.optim.AdamW(rest, a.lr_adam, betas=(0.9, 0.98), weight_decay=0.0)]
    peaks = [[g["lr"] for g in o.param_groups] for o in optimizers]
    generator = torch.Generator(device=device).manual_seed(a.seed)
    state = dict(seconds=0.0, step=0, tokens=0, history=[])
    path = os.path.join(a.run, "state.pt")
    if os.path.exists(path):
        saved = torch.load(path, weights_only=False)
        model.load_state_dict(saved["model"]); [o.load_state_dict(s) for o, s in zip(optimizers, saved["optimizers"])]
        generator.set_state(saved["generator"]); state = saved["state"]
        print(f"going on from step {state['step']} after {state['seconds'] / 60:.1f} minutes", flush=True)

    def save():
        torch.save(dict(model=model.state_dict(), optimizers=[o.state_dict() for o in optimizers], generator=generator.get_state(), state=state, arguments=vars(a)), path + ".partial")
        os.replace(path + ".partial", path)
        with open(os.path.join(a.run, "history.json"), "w") as f: json.dump(state, f)

    clock = time.monotonic()
    next_save, next_measure, running = state["seconds"] + SAVE_SECONDS, state["seconds"], None
    while state["tokens"] < a.tokens:
        spent = state["tokens"] / a.tokens
        for o, peak in zip(optimizers, peaks):
            for g, lr in zip(o.param_groups, peak): g["lr"] = lr * rate(spent)
        context = a.context if spent > a.long_from else a.context // 2      # short windows first: more of them a second
        x, y = batches(train, a.batch_tokens * (2 if spent > a.long_from else 1), context, generator)
        with torch.autocast(device, torch.bfloat16):
            logits = model(x)
        loss = CrossEntropy.apply(logits.flatten(0, 1), local[y].flatten())
        loss.backward()
        for o in optimizers: o.step(); o.zero_grad(set_to_none=True)
        now = time.monotonic()
        state["seconds"] += now - clock; clock = now
        state["step"] += 1; state["tokens"] += x.numel()
        running = loss.item() if running is None else 0.98 * running + 0.02 * loss.item()
        if state["seconds"] >= next_measure or state["tokens"] >= a.tokens:
            model.eval()
            with torch.autocast(device, torch.bfloat16): held_out = measure(model, valid, a.context, local)
            model.train()
            state["history"].append(dict(minutes=state["seconds"] / 60, tokens=state["tokens"], train=running, valid=held_out))
            print(f"{state['seconds'] / 60:6.1f} min  step {state['step']:6d}  {state['tokens'] / 1e6:6.1f} M tokens ({state['tokens'] / len(train):.1f} epochs)  {state['tokens'] / max(state['seconds'], 1e-9):,.0f} tok/s  train {running:.3f}  valid {held_out:.3f} nats a token", flush=True)
            next_measure += MEASURE_SECONDS
            clock = time.monotonic()                                         # measuring is not training
        if state["seconds"] >= next_save: save(); next_save += SAVE_SECONDS; clock = time.monotonic()
    save()


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("run"); p.add_argument("--table", required=True); p.add_argument("--train", required=True); p.add_argument("--valid", required=True)
    p.add_argument("--tokens", type=float, default=20e6); p.add_argument("--seed", type=int, default=7); p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--layers", type=int, default=4); p.add_argument("--context", type=int, default=512); p.add_argument("--batch-tokens", type=int, default=4096)
    p.add_argument("--long-from", type=float, default=0.6, help="share of the budget after which windows have the whole context")
    p.add_argument("--lr-muon", type=float, default=0.02); p.add_argument("--lr-adam", type=float, default=0.004); p.add_argument("--decay", type=float, default=0.1)
    p.add_argument("--grow", metavar="RUN", help="the stage before, of one layer less: its blocks stay as they are, its head is the start")
    p.add_argument("--dropout", type=float, default=0.0, help="on what every block adds, for texts that are read many times")
    main(p.parse_args())
