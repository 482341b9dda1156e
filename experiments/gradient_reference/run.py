"""How many steps along the gradient does a fit need, and what is left of the model's language?

    python experiments/gradient_reference/run.py                         # all models that are there
    python experiments/gradient_reference/run.py --models text-llama --seeds 0 1

Every search is `bbalign fit --optimizer adam --budget 60 --target-loss 3` with all other defaults: the
placement, the length, the orders and the weight for the language that the model gets by itself. A run is a
folder under `runs/` and goes on where it was killed; what is done is one line of `results.jsonl`, and all
lines are the tables of `results.md`.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import blackbox_align as bba

HERE = Path(__file__).parent
TEXT = HERE.parent / "text_models/models"
MODELS = {
    "smollm2": HERE.parent / "real_models/models/smollm2-135m-instruct",
    **{name: TEXT / name for name in ("text-llama", "text-neox", "text-qwen")},
}
COUNTRIES = ("SAU", "USA", "CHN", "IND")
ENOUGH, STEPS, ALLOWED = 3.0, 60, 1.5
LOG = HERE / "results.jsonl"

Search = dict[str, Any]


def search(model: Path, country: str, seed: int, runs: Path, options: dict[str, float]) -> Search:
    """One fit, and what its table says."""
    run = bba.fit(
        country, model=model, seed=seed, optimizer="adam", options=options, budget=STEPS,
        target_loss=ENOUGH, dtype="float32", device="cpu", runs=runs,
    )  # fmt: skip
    result, facts = run.result, run.record["facts"]
    assert result.search is not None and result.language is not None
    language = result.language[country]
    return {
        "model": model.name,
        "revision": facts["model_revision"][:12],
        "placement": facts["placement"],
        "virtual_tokens": facts["length"],
        "orders": facts["orders"],
        "language": facts["language"],
        "dtype": facts["dtype"],
        "options": facts["options"],
        "country": country,
        "seed": seed,
        "steps": result.search.evaluations,
        "reached": result.search.reached.get(country),
        "unprompted": round(result.value("none", "absolute_error_points", country, "all"), 2),
        "error": round(result.value("fitted", "absolute_error_points", country, "all"), 2),
        "perplexity": round(language.ratio, 3),
        "nats": round(language.divergence, 3),
        "norm": round(language.norm, 2),
        "tokens_of_a_step": 3 * facts["tokens"],
        "lines": [line.under for line in language.lines],
        "seconds": round(run.record.get("seconds") or 0.0),
    }


def missing(
    models: list[str], countries: list[str], seeds: list[int], log: Path
) -> Iterator[tuple[str, str, int]]:
    """What the log does not hold; the seeds go round last."""
    lines = log.read_text().splitlines() if log.exists() else []
    done = {(one["model"], one["country"], one["seed"]) for one in map(json.loads, lines)}
    for seed in seeds:
        for name in models:
            for country in countries:
                if (MODELS[name].name, country, seed) not in done:
                    yield name, country, seed


def tables(searches: list[Search]) -> list[str]:
    """One table over the models, and one of every search."""
    names = list(dict.fromkeys(one["model"] for one in searches))
    lines = [
        "| model | place, tokens | orders | weight | searches | at error 3 | steps, median (range) "
        "| tokens to it, expected | perplexity, times, median (range) | norm, words |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name in names:
        rows = [one for one in searches if one["model"] == name]
        first, hits = rows[0], [one for one in rows if one["reached"]]
        steps = sorted(one["reached"] or math.inf for one in rows)
        ratios = sorted(one["perplexity"] for one in rows)
        spent = sum(one["steps"] * one["tokens_of_a_step"] for one in rows)
        lines.append(
            f"| {name} {first['revision']} | {first['placement']}, {first['virtual_tokens']} "
            f"| {first['orders']} | {first['language']:g} | {len(rows)} | {len(hits)} "
            f"| {_steps(float(np.median(steps)))} ({_steps(steps[0])} to {_steps(steps[-1])}) "
            f"| {f'{spent / len(hits):,.0f}' if hits else 'never'} "
            f"| {np.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}) "
            f"| {min(one['norm'] for one in rows):.1f} to {max(one['norm'] for one in rows):.1f} |"
        )
    for name in names:
        rows = [one for one in searches if one["model"] == name]
        countries = list(dict.fromkeys(one["country"] for one in rows))
        lines += ["", f"{name}: steps to error 3 (in brackets the error after {STEPS}), and how many "
                  "times as perplexing held-out texts are then", "",
                  "| seed | " + " | ".join(countries) + " |", "|---|" + "---|" * len(countries)]  # fmt: skip
        for seed in sorted({one["seed"] for one in rows}):
            cells = {one["country"]: _cell(one) for one in rows if one["seed"] == seed}
            lines.append(
                f"| {seed} | " + " | ".join(cells.get(c, "not run") for c in countries) + " |"
            )
    return lines


def _steps(value: float) -> str:
    return f"{value:.0f}" if math.isfinite(value) else "never"


def _cell(one: Search) -> str:
    mark = "" if one["perplexity"] <= ALLOWED else " (!)"
    reached = f"{one['reached']}" if one["reached"] else f"({one['error']:.1f})"
    return f"{reached}, {one['perplexity']:.2f}{mark}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    there = [name for name, folder in MODELS.items() if folder.is_dir()]
    parser.add_argument("--models", nargs="+", default=there, choices=list(MODELS))
    parser.add_argument("--countries", nargs="+", default=list(COUNTRIES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3])
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--log", type=Path, default=LOG)
    parser.add_argument("--runs", type=Path, default=HERE / "runs")
    asked = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    options = {
        name: float(value) for name, _, value in (one.partition("=") for one in asked.option)
    }
    for name, country, seed in missing(asked.models, asked.countries, asked.seeds, asked.log):
        found = search(MODELS[name], country, seed, asked.runs, options)
        with asked.log.open("a") as file:
            file.write(json.dumps(found) + "\n")
        print(
            f"{name}, {country}, seed {seed}: {_cell(found)} times, {found['seconds']} s",
            flush=True,
        )
    searches = [json.loads(line) for line in asked.log.read_text().splitlines()]
    text = "\n".join(["# The gradient reference", "", *tables(searches), ""])
    asked.log.with_suffix(".md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
