#!/usr/bin/env python3
"""Asks a running server 64 things one by one, then the same 64, 32 at a time, and counts the answers that are the same bytes:
text, tokens and all log-probabilities. Mixed experts and an ensemble, prompts of 1 to 150 tokens, greedy and sampled.

    bench/exactness.py http://127.0.0.1:8080
"""
import concurrent.futures, json, random, sys, time, urllib.request

PROMPTS = {"glyph-en": ["The old house stood", "It was a dark night, and the wind", '"Where is he?" she said', "In the morning"],
           "glyph-ru": ["В начале", "Князь вошёл в комнату и", "Он молчал"],
           "glyph-zh": ["话说", "次日", "那和尚道：“"],
           "babel": ["The sea", "В ту минуту", "却说"]}


def requests(count, seed):
    pick = random.Random(seed)
    for i in range(count):
        model = pick.choice(list(PROMPTS))
        yield dict(model=model, prompt=pick.choice(PROMPTS[model]) * pick.choice([1, 1, 3, 12]), max_tokens=pick.choice([16, 48, 96]),
                   temperature=pick.choice([0, 0.7, 1]), seed=i, logprobs=5)


def complete(server, body):
    request = urllib.request.Request(server + "/v1/completions", json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=300) as answer: return json.load(answer)


if __name__ == "__main__":
    if len(sys.argv) != 2: raise SystemExit(__doc__)
    server, bodies = sys.argv[1].rstrip("/"), list(requests(64, seed=5))
    alone = [complete(server, body) for body in bodies]
    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(32) as threads: crowd = list(threads.map(lambda body: complete(server, body), bodies))
    seconds = time.monotonic() - start
    same = sum(json.dumps(a["choices"]) == json.dumps(b["choices"]) for a, b in zip(alone, crowd))
    tokens = sum(answer["usage"]["completion_tokens"] for answer in crowd)
    print(f"{same} of {len(bodies)} answers the same bytes alone and 32 at a time; together {tokens / seconds:,.0f} generated tokens/s")
    sys.exit(same != len(bodies))
