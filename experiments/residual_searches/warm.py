"""How much does a search save that starts from a run of another country on the same model?

    python experiments/residual_searches/warm.py --pairs SAU:IND IND:USA --seeds 0 1      # SmolLM2
    python experiments/residual_searches/warm.py --model respondent-tiny --placement first --tokens 5

The earlier search is that of `real_model.py`, to error 3 or its limit, with the same seed (its answers are
kept, so that it costs nothing twice). The later one observes all of its evaluations, as `fit --from` does,
with the first spread that the earlier one measured. Beside it stands the same search from nothing. Searches
are lines of `warm.jsonl`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from real_model import ENOUGH, HERE, Model, parser_of

from blackbox_align.fitting import Specification
from blackbox_align.fitting.data import OPTIMIZER, generator
from blackbox_align.fitting.searcher import OFFERED, offer_starts
from blackbox_align.optimizers import Evaluation, create

PAIRS = ["SAU:IND", "IND:SAU", "IND:USA", "SAU:CHN"]
Past = tuple[np.ndarray, np.ndarray, float]
"""Vectors (n, d), outputs (n, 6), and the first spread that was measured."""


def search(
    model: Model, country: str, seed: int, limit: int, past: Past | None = None
) -> tuple[int | None, float, Past]:
    """Evaluations to error 3, None where it was not reached; the error then; what was evaluated."""
    problem, space = model.problem(country), model.space(country, seed)
    settings = Specification(country, seed=seed, **model.settings)
    target = problem.objective.targets[0]

    def told(outputs: np.ndarray) -> list[Evaluation]:
        return [Evaluation(float(np.abs(row).mean()), row) for row in outputs - target]

    options = {} if past is None else {"spread": past[2]}
    optimizer = create(
        "gauss-newton", space.dimension, generator(settings, OPTIMIZER), budget=limit, **options
    )
    vectors, seen, best = [], [], np.inf
    if past is not None:
        optimizer.observe(past[0], told(past[1]))
        best = min(one.loss for one in told(past[1]))
    offer_starts(optimizer, replace(settings, seed=seed), model.engine, space, OFFERED)
    reached = 0 if best <= ENOUGH else None
    while reached is None and optimizer.told < limit:
        candidates = optimizer.ask(min(optimizer.batch, limit - optimizer.told))
        first = optimizer.told
        asked = np.array([candidate.vector for candidate in candidates])
        outputs, _ = model.outputs(problem, space, asked)
        evaluations = told(outputs)
        optimizer.tell(candidates, evaluations)
        vectors.append(asked)
        seen.append(outputs)
        losses = np.array([one.loss for one in evaluations])
        best = min(best, losses.min())
        if best <= ENOUGH:
            reached = first + int(np.argmax(losses <= ENOUGH)) + 1
    spread = optimizer.probe.spread if getattr(optimizer, "probe", None) else optimizer.spread
    everything = (np.concatenate(vectors), np.concatenate(seen)) if vectors else (past or ())[:2]
    return reached, round(float(best), 2), (*everything, spread)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--pairs", nargs="+", default=PAIRS, help="from:to; from may be A+B")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--limit", type=int, default=1500)
    parser.add_argument("--note", default="", help="what is tried, for the log")
    parser.add_argument("--log", type=Path, default=HERE / "warm.jsonl")
    parser.add_argument("--kept", type=Path, default=HERE / "runs")
    asked = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    model = Model(asked.model, asked.placement, asked.tokens, asked.kept)
    records: dict[tuple[str, int], tuple[int | None, float, Past]] = {}

    def cold(country: str, seed: int) -> tuple[int | None, float, Past]:
        if (country, seed) not in records:
            records[country, seed] = search(model, country, seed, asked.limit)
        return records[country, seed]

    ratios = []
    for seed in asked.seeds:
        for pair in asked.pairs:
            before, _, country = pair.partition(":")
            pasts = [cold(one, seed)[2] for one in before.split("+")]
            past = (
                np.concatenate([one[0] for one in pasts]),
                np.concatenate([one[1] for one in pasts]),
                pasts[0][2],
            )
            reached, error, _ = search(model, country, seed, asked.limit, past)
            alone, error_alone, _ = cold(country, seed)
            found: dict[str, Any] = {
                "model": Path(model.engine.info.name).name, "from": before, "country": country,
                "seed": seed, "placement": asked.placement, "tokens": asked.tokens,
                "observed": len(past[0]), "warm": reached, "error": error, "cold": alone,
                "error_cold": error_alone, "note": asked.note,
            }  # fmt: skip
            with asked.log.open("a") as file:
                file.write(json.dumps(found) + "\n")
            if reached is not None and alone is not None:
                ratios.append(np.log(max(reached, 1) / alone))
            print(f"{pair}, seed {seed}: {alone} ({error_alone}) alone, {reached} ({error}) from {before}",
                  flush=True)  # fmt: skip
    if ratios:
        print(f"geometric mean of warm over cold: {np.exp(np.mean(ratios)):.2f}, n = {len(ratios)}")


if __name__ == "__main__":
    main()
