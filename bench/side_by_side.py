#!/usr/bin/env python3
"""Serving, llama.cpp and transformers on one random model of the family's usual shape, in turns, and the ratios of their medians.

    bench/side_by_side.py --serving PROGRAM --work DIR [--rounds 3] [--skip transformers]

The shape: 16 layers, 1024 wide, 32 heads, MLP 4096, vocabulary 131,072, 470 M parameters; GPT-NeoX is the peers' name for it.
Needs llama-bench, llama-server and llama-quantize on PATH, and the Python packages torch, transformers, safetensors, gguf, numpy.
"""
import argparse, datetime, json, os, platform, signal, statistics, subprocess, sys, time, urllib.request

LAYERS, WIDTH, HEADS, HIDDEN, VOCABULARY, CONTEXT = 16, 1024, 32, 4096, 131072, 1024
LOADS = ["32x16:64+64", "8x4:64+64"]


def tensors(torch):
    """Name and values of every weight, in bf16, the same at each call."""
    torch.manual_seed(1)
    rand = lambda *shape: (torch.randn(*shape) * 0.02).to(torch.bfloat16)
    yield "table", rand(VOCABULARY, WIDTH)
    for i in range(LAYERS):
        for part in "qkvo": yield f"{i}.{part}", rand(WIDTH, WIDTH)
        yield f"{i}.up", rand(HIDDEN, WIDTH)
        yield f"{i}.down", rand(WIDTH, HIDDEN)
    yield "head", rand(VOCABULARY, WIDTH)


def make_checkpoint(folder):
    import torch
    from safetensors.torch import save_file
    os.makedirs(folder, exist_ok=True)
    names = {"q": "self_attn.q_proj", "k": "self_attn.k_proj", "v": "self_attn.v_proj", "o": "self_attn.o_proj", "up": "mlp.0", "down": "mlp.2"}
    state = {}
    for name, values in tensors(torch):
        if name == "table": state["model.embed_tokens.weight"] = values
        elif name == "head": state["lm_head.weight"] = values
        else: state[f"model.layers.{name.split('.')[0]}.{names[name.split('.')[1]]}.weight"] = values
    norms = ["model.norm"] + [f"model.layers.{i}.{n}" for i in range(LAYERS) for n in ("input_layernorm", "post_attention_layernorm")]
    for norm in norms: state[norm + ".weight"], state[norm + ".bias"] = torch.ones(WIDTH), torch.zeros(WIDTH)
    save_file(state, os.path.join(folder, "model.safetensors"))
    json.dump(dict(vocab_size=VOCABULARY, n_embed=WIDTH, d_model=WIDTH, n_head=HEADS, n_layer=LAYERS, block_size=CONTEXT), open(os.path.join(folder, "config.json"), "w"))
    code_point = lambda i: chr(0x100 + i if 0x100 + i < 0xD800 else 0x900 + i)
    json.dump(dict(version="1.0", model=dict(type="BPE", vocab={code_point(i): i for i in range(VOCABULARY)}, merges=[])),
              open(os.path.join(folder, "tokenizer.json"), "w"))


def make_gguf(path):
    import gguf, numpy, torch
    w = gguf.GGUFWriter(path, "gptneox")
    w.add_context_length(CONTEXT); w.add_embedding_length(WIDTH); w.add_block_count(LAYERS); w.add_feed_forward_length(HIDDEN)
    w.add_rope_dimension_count(WIDTH // HEADS); w.add_head_count(HEADS); w.add_parallel_residual(False); w.add_layer_norm_eps(1e-5)
    w.add_vocab_size(VOCABULARY); w.add_file_type(32); w.add_tokenizer_model("gpt2"); w.add_tokenizer_pre("default")
    w.add_token_list([f"<{i}>" for i in range(VOCABULARY)]); w.add_token_types([1] * VOCABULARY); w.add_token_merges(["< 1"])
    w.add_eos_token_id(1); w.add_bos_token_id(0)
    bf16 = lambda name, x: w.add_tensor(name, x.view(torch.int16).numpy().view(numpy.uint8), raw_dtype=gguf.GGMLQuantizationType.BF16)
    f32 = lambda name, n, value: w.add_tensor(name, numpy.full(n, value, numpy.float32))
    attention = {}
    for name, values in tensors(torch):
        if name == "table": bf16("token_embd.weight", values)
        elif name == "head": bf16("output.weight", values)
        else:
            i, part = name.split(".")
            if part in "qkv": attention[part] = values
            if part == "v": bf16(f"blk.{i}.attn_qkv.weight", torch.cat([attention[p] for p in "qkv"])); f32(f"blk.{i}.attn_qkv.bias", 3 * WIDTH, 0)
            to = {"o": "attn_output", "up": "ffn_up", "down": "ffn_down"}.get(part)
            if to: bf16(f"blk.{i}.{to}.weight", values); f32(f"blk.{i}.{to}.bias", values.shape[0], 0)
    for norm in ["output_norm"] + [f"blk.{i}.{n}" for i in range(LAYERS) for n in ("attn_norm", "ffn_norm")]:
        f32(norm + ".weight", WIDTH, 1); f32(norm + ".bias", WIDTH, 0)
    w.write_header_to_file(); w.write_kv_data_to_file(); w.write_tensors_to_file(); w.close()


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode: raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout


def llama_bench(path):
    rows = json.loads(run("llama-bench", "-m", path, "-p", "512", "-n", "64", "-r", "2", "-t", str(os.cpu_count()), "-o", "json"))
    return {"prefill 512" if r["n_prompt"] else "decode": r["avg_ts"] for r in rows}


def serving_bench(program, quantize):
    model = json.loads(run(program, "bench", "--shape", "470m", "--quantize", quantize, "--load", "1x1:1+1", "--json"))["model"]
    return {"prefill 512": model["prefill"], "decode": model["decode"], "decode, 16 rows": model["batched_decode"]["16"],
            "share of a plain read": model["decode_share"]}


def transformers_bench():
    return json.loads(run(sys.executable, __file__, "--transformers"))


def measure_transformers():
    import torch
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM
    config = GPTNeoXConfig(vocab_size=VOCABULARY, hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS, intermediate_size=HIDDEN,
                           max_position_embeddings=CONTEXT, rotary_pct=1.0, use_parallel_residual=False)
    model = GPTNeoXForCausalLM(config).to(torch.bfloat16).eval()
    rates = {}
    with torch.inference_mode():
        prompt = torch.randint(0, VOCABULARY, (1, 512))
        times = [timed(lambda: model(prompt, logits_to_keep=1)) for _ in range(3)]
        rates["prefill 512"] = 512 / statistics.median(times)
        for rows in (1, 16):
            state = model(torch.randint(0, VOCABULARY, (rows, 64)), use_cache=True, logits_to_keep=1).past_key_values
            token, times = torch.randint(0, VOCABULARY, (rows, 1)), []
            for _ in range(24): times.append(timed(lambda: model(token, past_key_values=state, use_cache=True)))
            rates["decode" if rows == 1 else f"decode, {rows} rows"] = rows / statistics.median(times[4:])
    print(json.dumps(rates))


def timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


class Server:
    """A server process, ready to answer; its address is what bench --url takes."""
    def __init__(self, command, port, health):
        self.start = time.perf_counter()
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.url = f"http://127.0.0.1:{port}"
        while True:
            try:
                if urllib.request.urlopen(self.url + health, timeout=1).status == 200: break
            except OSError: pass
            if self.process.poll() is not None: raise SystemExit(f"{command[0]} ended with {self.process.returncode}")
            time.sleep(0.01)

    def first_token(self, model):
        body = json.dumps(dict(model=model, prompt=[300, 301], max_tokens=1)).encode()
        urllib.request.urlopen(urllib.request.Request(self.url + "/v1/completions", body, {"content-type": "application/json"}), timeout=60).read()
        return time.perf_counter() - self.start

    def memory(self):
        return next(int(line.split()[1]) / 1024 for line in open(f"/proc/{self.process.pid}/status") if line.startswith("VmRSS"))

    def __enter__(self): return self
    def __exit__(self, *_): self.process.send_signal(signal.SIGTERM); self.process.wait(60)


def served(program, server, model, result):
    report = json.loads(run(program, "bench", "--url", server.url, "--model", model, "--json", *[a for load in LOADS for a in ("--load", load)]))
    for load in report["served"]:
        result[f"{load['load']}: generated"] = load["generated_tokens_per_second"]
        result[f"{load['load']}: TTFT p50, ms"] = load["time_to_first_token"]["p50"]


def serve_ours(program, work, quantize):
    with Server([program, "serve", "--models", os.path.join(work, "models"), "--urls", "http://127.0.0.1:18461", "--quantize", quantize], 18461, "/health/ready") as server:
        result = {"start to first token, s": server.first_token("m470")}
        served(program, server, "m470", result)
        result["memory after the loads, MB"] = server.memory()
        return result


def serve_llama(program, path):
    with Server(["llama-server", "-m", path, "--port", "18462", "-np", "16", "-c", str(16 * CONTEXT), "-t", str(os.cpu_count()), "--no-webui"], 18462, "/health") as server:
        result = {"start to first token, s": server.first_token("m")}
        served(program, server, "m", result)
        result["memory after the loads, MB"] = server.memory()
        return result


if __name__ == "__main__":
    if sys.argv[1:] == ["--transformers"]: measure_transformers(); raise SystemExit
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--serving", required=True, help="the program Serving.Server"); p.add_argument("--work", required=True, help="a folder of 4 GB")
    p.add_argument("--rounds", type=int, default=3); p.add_argument("--skip", action="append", default=[])
    a = p.parse_args()
    model, ggufs = os.path.join(a.work, "models", "m470"), {q: os.path.join(a.work, f"{q}.gguf") for q in ("bf16", "Q8_0", "Q4_0")}
    if not os.path.exists(os.path.join(model, "tokenizer.json")): make_checkpoint(model)
    if not os.path.exists(ggufs["bf16"]): make_gguf(ggufs["bf16"])
    for q in ("Q8_0", "Q4_0"):
        if not os.path.exists(ggufs[q]): run("llama-quantize", ggufs["bf16"], ggufs[q], q)
    runs = {"serving bf16": lambda: serving_bench(a.serving, "none"), "llama.cpp bf16": lambda: llama_bench(ggufs["bf16"]),
            "serving int8": lambda: serving_bench(a.serving, "int8"), "llama.cpp Q8_0": lambda: llama_bench(ggufs["Q8_0"]),
            "llama.cpp Q4_0": lambda: llama_bench(ggufs["Q4_0"]), "transformers bf16": transformers_bench,
            "serving bf16, HTTP": lambda: serve_ours(a.serving, a.work, "none"), "llama-server bf16": lambda: serve_llama(a.serving, ggufs["bf16"])}
    figures = {}
    for i in range(a.rounds):
        for name, measure in runs.items():
            if any(skip in name for skip in a.skip): continue
            for what, value in measure().items(): figures.setdefault((name, what), []).append(value)
            print(f"round {i + 1}: {name} done", file=sys.stderr)
    processor = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.processor())
    print(f"{os.cpu_count()} x {processor}, {datetime.date.today()}, medians of {a.rounds} rounds\n\n| what | who | median | all |\n|---|---|---|---|")
    for (name, what), values in sorted(figures.items(), key=lambda item: item[0][::-1]):
        print(f"| {what} | {name} | {statistics.median(values):.4g} | {' '.join(f'{v:.4g}' for v in values)} |")
