"""How many of 96 countries does one search bring to error 3, and after how many evaluations?

    python experiments/residual_searches/many.py --model experiments/text_models/models/text-llama
    python experiments/residual_searches/many.py --seeds 0 --limit 2100      # SmolLM2: 8 minutes

One virtual token last, both directions, float32, as `fit --country all --placement last --tokens 1
--target-loss 3` asks. What was answered is kept as in `real_model.py`, so that a search that was killed goes
on. A line of `many.jsonl` is one search: for every country after how many evaluations it came to error 3, or
how near it came.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from real_model import ENOUGH, HERE, Model, parser_of

from blackbox_align.fitting import Specification
from blackbox_align.fitting.data import OPTIMIZER, generator
from blackbox_align.fitting.searcher import OFFERED, offer_starts
from blackbox_align.optimizers import Evaluation, create


def search(
    model: Model, seed: int, limit: int, options: dict[str, Any], countries: str = "all"
) -> dict[str, Any]:
    """One search for all countries with complete figures."""
    problem, space = model.problem(countries), model.space(countries, seed)
    settings = Specification(countries, seed=seed, **model.settings)
    targets = problem.targets
    optimizer = create(
        "gauss-newton", space.dimension, generator(settings, OPTIMIZER), budget=limit,
        targets=targets, enough=ENOUGH, **options,
    )  # fmt: skip
    offer_starts(optimizer, settings, model.engine, space, OFFERED)
    reached = np.zeros(len(targets), dtype=int)
    best = np.full(len(targets), np.inf)
    asking, started, answering = 0.0, time.process_time(), 0.0
    while optimizer.told < limit and best.max() > ENOUGH:
        candidates = optimizer.ask(min(optimizer.batch, limit - optimizer.told))
        before, first = time.process_time(), optimizer.told
        vectors = np.array([candidate.vector for candidate in candidates])
        outputs, seconds = model.outputs(problem, space, vectors)
        asking, answering = asking + seconds, answering + time.process_time() - before
        losses = np.abs(outputs[None] - targets[:, None]).mean(axis=2)
        optimizer.tell(
            candidates,
            [Evaluation(float(m), o) for m, o in zip(losses.mean(axis=0), outputs, strict=True)],
        )
        for n, column in enumerate(losses.T):
            reached[(reached == 0) & (column <= ENOUGH)] = first + n + 1
            best = np.minimum(best, column)
    return {
        "model": Path(model.engine.info.name).name,
        "revision": model.engine.info.revision[:12],
        **{key: model.settings[key] for key in ("placement", "tokens", "dtype", "orders")},
        "seed": seed,
        "options": options,
        "limit": limit,
        "evaluations": optimizer.told,
        "tokens_of_one": model.tokens_of_one,
        "seconds": round(asking, 1),
        "own_seconds": round(time.process_time() - started - answering, 1),
        "countries": [population.code for population in problem.populations],
        "reached": reached.tolist(),
        "best": np.round(best, 2).tolist(),
    }


def line(found: dict[str, Any]) -> str:
    """A row of the table."""
    reached, best = np.array(found["reached"]), np.array(found["best"])
    left = [
        f"{c} {b:.1f}" for c, b, r in zip(found["countries"], best, reached, strict=True) if not r
    ]
    steps = " / ".join(
        str(int(((reached > 0) & (reached <= n)).sum())) for n in (500, 1000, 1500, 2100)
    )
    return (
        f"| {found['model']} | {found['seed']} | {np.sum(reached > 0)} of {len(reached)} | "
        f"{found['evaluations']:,} | {steps} | {', '.join(left) or 'none'} | "
        f"{found['seconds']:.0f} + {found['own_seconds']:.0f} |"
    )


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--limit", type=int, default=2100)
    parser.add_argument("--countries", default="all")
    parser.add_argument("--option", nargs="*", default=[], help="name=number, of the optimizer")
    parser.add_argument("--log", type=Path, default=HERE / "many.jsonl")
    parser.add_argument("--kept", type=Path, default=HERE / "runs")
    asked = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    options = {k: float(v) for k, v in (one.split("=") for one in asked.option)}
    model = Model(asked.model, asked.placement, asked.tokens, asked.kept)
    print(
        "| model | seed | at error 3 | evaluations | by 500 / 1,000 / 1,500 / 2,100 | not reached | s |"
    )
    print("|---|---|---|---|---|---|---|")
    for seed in asked.seeds:
        found = search(model, seed, asked.limit, options, asked.countries)
        with asked.log.open("a") as file:
            file.write(json.dumps(found) + "\n")
        print(line(found), flush=True)


if __name__ == "__main__":
    main()
