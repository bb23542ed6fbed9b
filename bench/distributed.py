#!/usr/bin/env python3
"""Speed of an ensemble at each of some running servers: one answer of 256 tokens at a time, then 16 at a time; and what a token of a
remote member costs on the wire. Compares e.g. a server that computes all experts with a front whose experts are peers.

    bench/distributed.py glyph-en+glyph-ru+glyph-zh http://127.0.0.1:8080 http://127.0.0.1:8090
"""
import concurrent.futures, json, re, sys, time, urllib.request

TOKENS = 256


def complete(server, model, seed):
    body = dict(model=model, prompt="The old house stood", max_tokens=TOKENS, temperature=1, seed=seed, ignore_eos=True)
    request = urllib.request.Request(server + "/v1/completions", json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=300) as answer: return json.load(answer)["choices"][0]["text"]


def wire_bytes(server):
    text = urllib.request.urlopen(server + "/metrics").read().decode()
    return sum(float(value) for value in re.findall(r"^serving_peer_(?:sent|received)_bytes_total\{.*\} (\S+)$", text, re.M))


def speed(server, model, at_once, answers):
    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(at_once) as threads: texts = list(threads.map(lambda i: complete(server, model, i), range(answers)))
    return answers * TOKENS / (time.monotonic() - start), texts


if __name__ == "__main__":
    if len(sys.argv) < 3: raise SystemExit(__doc__)
    model, first = sys.argv[1], None
    for server in sys.argv[2:]:
        complete(server, model, 0)
        before = wire_bytes(server)
        alone, texts = speed(server, model, 1, 4)
        crowd, more = speed(server, model, 16, 32)
        cost = (wire_bytes(server) - before) / (36 * TOKENS)
        first = first or texts + more
        print(f"{server}: {alone:,.0f} tokens/s alone, {crowd:,.0f} tokens/s 16 at a time, {cost:,.0f} bytes a token on the wire, "
              f"{'the same' if texts + more == first else 'OTHER'} texts")
