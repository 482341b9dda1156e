"""Does a search without gradients come to error 3 inside the message, with the language kept?

    python experiments/residual_searches/message.py --models respondent-tiny --tokens 1 2 3 4 5
    python experiments/residual_searches/message.py --models experiments/text_models/models/text-llama

What is run is `fit --placement message --target-loss 3 --dtype float32` with its defaults: both directions
of every scale, the language weighed where the model writes. A line of `message.jsonl` is one search:
evaluations, the loss and the error in it, the perplexity of plain text beside that without a prompt, the
prompt's norm in words. A second call runs what is missing, then prints the table.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import blackbox_align as bba

HERE = Path(__file__).parent
ENOUGH = 3.0
KEYS = ("model", "country", "tokens", "seed", "budget")


def search(model: str, country: str, tokens: int, seed: int, budget: int) -> dict[str, Any]:
    """One fit, whose folder is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        run = bba.fit(
            country, model=model, placement="message", tokens=tokens, seed=seed, budget=budget,
            target_loss=ENOUGH, dtype="float32", runs=folder,
        )  # fmt: skip
        seconds = time.process_time() - began
        result, history = run.result, run.history()
    found, language = result.search, (result.language or {}).get(country)
    reached = found.reached.get(country)
    return {
        "model": Path(model).name, "country": country, "tokens": tokens, "seed": seed,
        "budget": budget, "evaluations": found.evaluations, "reached": reached,
        "loss": round(found.losses[country], 3), "first_loss": round(float(history["loss"].iloc[0]), 3),
        "error": round(float(history.get("error", history["loss"]).min()), 3),
        "weight": language and language.weight, "perplexity": language and round(language.ratio, 3),
        "norm": language and round(language.norm, 2), "seconds": round(seconds, 1),
    }  # fmt: skip


def table(searches: list[dict[str, Any]]) -> str:
    """A row a model and length."""
    lines = [
        "| model | tokens | at error 3 | evaluations, median of those | error where not, median "
        "| perplexity, median (largest) | norm, words | s a search |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for model, tokens, budget in dict.fromkeys(
        (s["model"], s["tokens"], s["budget"]) for s in searches
    ):
        own = [
            s for s in searches if (s["model"], s["tokens"], s["budget"]) == (model, tokens, budget)
        ]
        hits = [s["reached"] for s in own if s["reached"]]
        missed = [s["error"] for s in own if not s["reached"]]
        ratios = [s["perplexity"] for s in own if s["perplexity"]]
        norms = [s["norm"] for s in own if s["norm"]]
        lines.append(
            f"| {model} | {tokens} | {len(hits)} of {len(own)}, at most {budget:,} "
            f"| {f'{np.median(hits):,.0f}' if hits else '-'} "
            f"| {f'{np.median(missed):.1f}' if missed else '-'} "
            f"| {f'{np.median(ratios):.2f} ({max(ratios):.2f})' if ratios else '-'} "
            f"| {f'{min(norms):.1f} to {max(norms):.1f}' if norms else '-'} "
            f"| {np.mean([s['seconds'] for s in own]):.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=["respondent-tiny"])
    parser.add_argument("--tokens", nargs="+", type=int, default=[1, 5])
    parser.add_argument("--countries", nargs="+", default=["SAU", "USA", "CHN", "IND"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--budget", type=int, default=6000)
    parser.add_argument("--log", type=Path, default=HERE / "message.jsonl")
    asked = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    known = asked.log.read_text().splitlines() if asked.log.exists() else []
    searches = [json.loads(line) for line in known]
    done = {tuple(one[key] for key in KEYS) for one in searches}
    for model in asked.models:
        for seed in asked.seeds:
            for country in asked.countries:
                for tokens in asked.tokens:
                    if (Path(model).name, country, tokens, seed, asked.budget) in done:
                        continue
                    searches.append(search(model, country, tokens, seed, asked.budget))
                    with asked.log.open("a") as file:
                        file.write(json.dumps(searches[-1]) + "\n")
                    print(searches[-1], flush=True)
    print(table(searches))


if __name__ == "__main__":
    main()
