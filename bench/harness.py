#!/usr/bin/env python3
"""Lets lm-evaluation-harness itself ask a server, and compares its scores with those of /v1/compare.

    bench/harness.py --harness DIR --url http://127.0.0.1:8080 --model glyph-en --model babel

DIR is a checkout of EleutherAI/lm-evaluation-harness. Its model class "local-completions" runs unchanged: remote tokenizer,
batches, loglikelihood, loglikelihood_rolling, generate_until. What the harness needs beyond numpy, requests, aiohttp, tenacity
and tqdm (data sets, metrics, PyTorch) takes no part in asking a server and is replaced by nothing where it is not installed.
Exits 1 when a score differs by more than 1e-5.
"""
import argparse
import importlib.abc
import importlib.machinery
import importlib.metadata
import importlib.util
import logging
import sys
import types
from unittest.mock import MagicMock

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--harness", required=True, help="a checkout of lm-evaluation-harness")
parser.add_argument("--url", default="http://127.0.0.1:8080")
parser.add_argument("--model", action="append")
args = parser.parse_args()

UNUSED = {"datasets", "evaluate", "sacrebleu", "rouge_score", "sqlitedict", "pytablewriter", "word2number", "zstandard", "jsonlines",
          "tiktoken", "sympy", "transformers", "torch", "sklearn", "more_itertools", "dill"}


class Nothing(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Stands last: only what is not installed comes here."""

    def find_spec(self, name, path=None, target=None):
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if name.split(".")[0] in UNUSED else None

    def create_module(self, spec):
        module = types.ModuleType(spec.name)

        def attribute(name):
            if name.startswith("__"):
                raise AttributeError(name)
            return MagicMock()

        module.__getattr__, module.__path__ = attribute, []
        return module

    def exec_module(self, module):
        pass


sys.meta_path.append(Nothing())
sys.path.insert(0, args.harness)
version = importlib.metadata.version
importlib.metadata.version = lambda name: "source" if name == "lm_eval" else version(name)
logging.disable(logging.WARNING)

import requests  # noqa: E402
from lm_eval.api.instance import Instance  # noqa: E402
from lm_eval.models.openai_completions import LocalCompletionsAPI  # noqa: E402

PAIRS = [("The old house", " stood on the hill"), ("It was a dark", " night"), ("“Well,” said", " he, “I do not know.”"),
         ("A", " man and his wife were there."), ("", "Once upon a time")]
TEXT = "It was a dark night, and the wind was in the trees."


def ask(path, **body):
    answer = requests.post(args.url + path, json=body, timeout=60)
    answer.raise_for_status()
    return answer.json()


def scores(model, text):
    """Of the text behind the token that begins or ends texts: as the harness scores what has no context."""
    info = requests.get(args.url + "/tokenizer_info", timeout=60).json()
    return ask("/v1/compare", models=[model], text=(info["bos_token"] or info["eos_token"]) + text, special_tokens="parse")["models"][0]["token_logprobs"][1:]


def difference(model, lm):
    """The largest difference between the harness's scores and the server's own."""
    found = lm.loglikelihood([Instance("loglikelihood", {}, pair, i) for i, pair in enumerate(PAIRS)], disable_tqdm=True)
    worst = 0
    for (context, text), (score, _) in zip(PAIRS, found):
        if context:
            own = ask("/v1/compare", models=[model], text=context + text)["models"][0]["token_logprobs"][len(lm.tok_encode(context)):]
        else:
            own = scores(model, text)
        worst = max(worst, abs(sum(own) - score))
    rolling = lm.loglikelihood_rolling([Instance("loglikelihood_rolling", {}, (TEXT,), 0)], disable_tqdm=True)
    return max(worst, abs(sum(scores(model, TEXT)) - rolling[0]))


failed = False
for model in args.model or ["glyph-en"]:
    for at_once in (1, 4):
        lm = LocalCompletionsAPI(base_url=args.url + "/v1/completions", model=model, batch_size=4, num_concurrent=at_once, max_length=512)
        worst = difference(model, lm)
        until = {"until": ["\n\n", "."], "max_gen_toks": 24, "do_sample": False, "temperature": 0}
        text = lm.generate_until([Instance("generate_until", {}, ("The old house", until), 0)], disable_tqdm=True)[0]
        print(f"{model}, {at_once} at once, {type(lm.tokenizer).__name__}: largest difference {worst:.1e}; The old house{text}")
        failed |= worst > 1e-5
sys.exit(failed)
