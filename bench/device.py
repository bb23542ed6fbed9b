#!/usr/bin/env python3
"""Serving on a device of libtorch, and transformers on the same device, in turns: tokens a second and their ratio.

    bench/device.py --serving PROGRAM --device cuda [--precision bfloat16] [--rounds 3]

PROGRAM is Serving.Server of a build with -p:Torch=cuda (or cpu, for --device torch-cpu). Needs the Python packages torch and
transformers. Both have random weights of one shape: 16 layers, 1024 wide, 32 heads, MLP 4096, vocabulary 131,072.
"""
import argparse, datetime, json, statistics, subprocess, sys, time

LAYERS, WIDTH, HEADS, HIDDEN, VOCABULARY = 16, 1024, 32, 4096, 131072
ROWS = (1, 8, 32, 128)


def serving(arguments):
    command = [arguments.serving, "bench", "--shape", "470m", "--device", arguments.device, "--precision", arguments.precision, "--json"]
    report = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    model = report["model"]
    rates = {"prefill 512": model["prefill"], "decode, 1 row": model["decode"]}
    rates |= {f"decode, {rows} rows": rate for rows, rate in model["batched_decode"].items()}
    for load in report["served"]:
        rates[f"served {load['load']}"] = load["generated_tokens_per_second"]
    return rates


def transformers(arguments):
    command = [sys.executable, __file__, "--measure", arguments.device, "--precision", arguments.precision]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measure_transformers(device, precision):
    import torch
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM
    device = "cpu" if device == "torch-cpu" else device
    config = GPTNeoXConfig(vocab_size=VOCABULARY, hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS, intermediate_size=HIDDEN,
                           max_position_embeddings=1024, rotary_pct=1.0, use_parallel_residual=False)
    model = GPTNeoXForCausalLM(config).to(getattr(torch, precision)).to(device).eval()
    random = lambda *size: torch.randint(0, VOCABULARY, size, device=device)
    rates = {}
    with torch.inference_mode():
        prompt = random(1, 512)
        rates["prefill 512"] = 512 / statistics.median(timed(torch, lambda: model(prompt, logits_to_keep=1)) for _ in range(5))
        for rows in ROWS:
            state = model(random(rows, 64), use_cache=True, logits_to_keep=1).past_key_values
            token, times = random(rows, 1), []
            for _ in range(24): times.append(timed(torch, lambda: model(token, past_key_values=state, use_cache=True)))
            rates[f"decode, {rows} row{'s' * (rows > 1)}"] = rows / statistics.median(times[4:])
    print(json.dumps(rates))


def timed(torch, work):
    start = time.perf_counter()
    work()
    if torch.cuda.is_available(): torch.cuda.synchronize()
    return time.perf_counter() - start


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--serving"); p.add_argument("--device", default="cuda")
    p.add_argument("--precision", default="bfloat16", choices=("float32", "bfloat16", "float16")); p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--measure", help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.measure: measure_transformers(a.measure, a.precision); raise SystemExit
    if not a.serving: p.error("--serving is missing")
    figures = {}
    for i in range(a.rounds):
        for name, measure in (("Serving", serving), ("transformers", transformers)):
            for what, value in measure(a).items(): figures.setdefault(what, {}).setdefault(name, []).append(value)
            print(f"round {i + 1}: {name} done", file=sys.stderr)
    print(f"470m, {a.precision}, {a.device}, {datetime.date.today()}, medians of {a.rounds} rounds, tokens a second\n")
    print("| work | Serving | transformers | ratio |\n|---|---|---|---|")
    for what, by_name in figures.items():
        ours, theirs = (statistics.median(by_name[name]) if name in by_name else None for name in ("Serving", "transformers"))
        print(f"| {what} | {ours or 0:.4g} | {f'{theirs:.4g}' if theirs else '-'} | {f'{ours / theirs:.2f}' if ours and theirs else '-'} |")
