#!/usr/bin/env python3
"""Seconds a generated token of one stream, for each of some models, on a running server: the fastest of several rounds, so that
other programs disturb it least. For an ensemble also its cost over the sum of its members', for a model that guesses ahead the
share of right guesses.

    bench/speed.py http://127.0.0.1:8080 glyph-en glyph-ru glyph-en+glyph-ru
"""
import json, sys, time, urllib.request

TOKENS, ROUNDS = 128, 5


def complete(server, model, seed):
    body = dict(model=model, prompt="It was a dark night, and", max_tokens=TOKENS, ignore_eos=True, temperature=0.8, seed=seed)
    request = urllib.request.Request(server + "/v1/completions", json.dumps(body).encode(), {"content-type": "application/json"})
    start = time.perf_counter()
    with urllib.request.urlopen(request, timeout=300) as answer: usage = json.load(answer)["usage"]
    return (time.perf_counter() - start) / TOKENS, usage.get("completion_tokens_details")


if __name__ == "__main__":
    if len(sys.argv) < 3: raise SystemExit(__doc__)
    server, models = sys.argv[1].rstrip("/"), sys.argv[2:]
    best, guesses = {m: 1e9 for m in models}, {m: [0, 0] for m in models}
    for seed in range(ROUNDS):
        for model in models:
            seconds, details = complete(server, model, seed)
            best[model] = min(best[model], seconds)
            if details: guesses[model] = [guesses[model][0] + details["accepted_prediction_tokens"], guesses[model][1] + details["rejected_prediction_tokens"]]
    for model in models:
        line, members = f"{model:32} {best[model] * 1e6:8.0f} us a token", model.split("+")
        if len(members) > 1 and all(m in best for m in members): line += f"   {best[model] / sum(best[m] for m in members):.3f} of its members' sum"
        if sum(guesses[model]): line += f"   {guesses[model][0] / sum(guesses[model]):.2f} of {sum(guesses[model])} guesses right"
        print(line)
