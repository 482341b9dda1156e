"""What does half a precision cost a search, in evaluations until the true error is 3?

    python experiments/residual_searches/half_precision.py --dtypes bfloat16 float16 --seeds 0 1

SmolLM2, one virtual token last, both directions. The search is told what the half precision answers; the
true error is that of what it recommends, in float32, where 3 ends it. `noise` is what `fit` says before its
search. The rows of float32 are those of `real_model.jsonl`.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from real_model import ENOUGH, HERE, SMOLLM2, Model, told

from blackbox_align.fitting import Specification
from blackbox_align.fitting.data import OPTIMIZER, generator
from blackbox_align.fitting.noise import measure_noise
from blackbox_align.fitting.searcher import OFFERED, offer_starts
from blackbox_align.optimizers import create


def search(half: Model, exact: Model, country: str, seed: int, limit: int) -> dict[str, Any]:
    """One search, whose true error is looked at after every round in which the recommendation is another."""
    problem, space = half.problem(country), half.space(country, seed)
    settings = Specification(country, seed=seed, **half.settings)
    optimizer = create(
        "gauss-newton", space.dimension, generator(settings, OPTIMIZER), budget=limit
    )
    offer_starts(optimizer, settings, half.engine, space, OFFERED)
    in_full, target = exact.problem(country), problem.objective.targets[0]
    trace: list[tuple[int, float, float]] = []
    last, truth, asking = -1, np.inf, 0.0
    while optimizer.told < limit and truth > ENOUGH:
        candidates = optimizer.ask(min(optimizer.batch, limit - optimizer.told))
        evaluations, seconds = told(half, problem, space, optimizer, candidates)
        optimizer.tell(candidates, evaluations)
        asking += seconds
        chosen = optimizer.recommend()
        if chosen.id != last:
            last = chosen.id
            outputs, _ = exact.outputs(in_full, space, chosen.vector[None])
            truth = float(np.abs(outputs[0] - target).mean())
            lowest = min(e.loss for e in evaluations)
            trace.append((optimizer.told, round(truth, 3), round(lowest, 3)))
    probe = optimizer.probe
    return {
        "model": Path(half.engine.info.name).name, "revision": half.engine.info.revision[:12],
        "dtype": half.settings["dtype"], "country": country, "seed": seed, "limit": limit,
        "evaluations": optimizer.told, "reached": optimizer.told if truth <= ENOUGH else None,
        "error": round(truth, 3), "tokens_of_one": half.tokens_of_one, "seconds": round(asking, 1),
        "probe": None if probe is None else [round(probe.noise, 4), round(probe.leverage, 3), probe.linear],
        "trace": trace,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", default=str(SMOLLM2))
    parser.add_argument("--dtypes", nargs="+", default=["bfloat16", "float16"])
    parser.add_argument("--countries", nargs="+", default=["SAU", "IND"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--limit", type=int, default=750)
    parser.add_argument("--log", type=Path, default=HERE / "half_precision.jsonl")
    parser.add_argument("--kept", type=Path, default=HERE / "runs")
    asked = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    exact = Model(asked.model, "last", 1, asked.kept)
    for dtype in asked.dtypes:
        half = Model(asked.model, "last", 1, asked.kept, dtype=dtype)
        started = time.process_time()
        noise = measure_noise(half.engine, half.problem("SAU"))
        print(noise.describe() if noise else "no noise measured", flush=True)
        print(f"(six evaluations in {time.process_time() - started:.1f} s)", flush=True)
        for seed in asked.seeds:
            for country in asked.countries:
                found = search(half, exact, country, seed, asked.limit)
                found["noise"] = noise.describe() if noise else ""
                with asked.log.open("a") as file:
                    file.write(json.dumps(found) + "\n")
                print(dtype, country, seed, found["reached"], found["error"], found["seconds"],
                      found["probe"], flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
