#!/usr/bin/env python3
"""Time a generated token of one stream takes, for each of some models, on a running server: the fastest of several rounds, so that
other programs disturb it least. For an ensemble also its cost over its members': over the sum of each running alone, and over the
time in which all members together, side by side, give a token each. For a model that guesses ahead the share of right guesses.

    bench/speed.py http://127.0.0.1:8080 glyph-en glyph-ru glyph-en+glyph-ru
"""
import concurrent.futures, json, sys, time, urllib.request

TOKENS, ROUNDS = 128, 5


def complete(server, model, seed):
    body = dict(model=model, prompt="It was a dark night, and", max_tokens=TOKENS, ignore_eos=True, temperature=0.8, seed=seed)
    request = urllib.request.Request(server + "/v1/completions", json.dumps(body).encode(), {"content-type": "application/json"})
    start = time.perf_counter()
    with urllib.request.urlopen(request, timeout=300) as answer: usage = json.load(answer)["usage"]
    return (time.perf_counter() - start) / TOKENS, usage.get("completion_tokens_details")


def together(server, models, seed):
    """Seconds until every one of the models has given a token, all of them generating side by side."""
    with concurrent.futures.ThreadPoolExecutor(len(models)) as pool:
        start = time.perf_counter()
        list(pool.map(lambda model: complete(server, model, seed), models))
        return (time.perf_counter() - start) / TOKENS


if __name__ == "__main__":
    if len(sys.argv) < 3: raise SystemExit(__doc__)
    server, models = sys.argv[1].rstrip("/"), sys.argv[2:]
    side_by_side = {m: 1e9 for m in models}
    best, guesses = {m: 1e9 for m in models}, {m: [0, 0] for m in models}
    for seed in range(ROUNDS):
        for model in models:
            seconds, details = complete(server, model, seed)
            best[model] = min(best[model], seconds)
            if "+" in model: side_by_side[model] = min(side_by_side[model], together(server, model.split("+"), seed))
            if details: guesses[model] = [guesses[model][0] + details["accepted_prediction_tokens"], guesses[model][1] + details["rejected_prediction_tokens"]]
    for model in models:
        line, members = f"{model:32} {best[model] * 1e6:8.0f} us a token", model.split("+")
        if len(members) > 1 and all(m in best for m in members): line += f"   {best[model] / sum(best[m] for m in members):.3f} of its members' sum, {best[model] / side_by_side[model]:.3f} of all side by side"
        if sum(guesses[model]): line += f"   {guesses[model][0] / sum(guesses[model]):.2f} of {sum(guesses[model])} guesses right"
        print(line)
