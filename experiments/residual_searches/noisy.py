"""How far is what a search recommends from its target, in truth, where answers are drawn from few?

    python experiments/residual_searches/noisy.py                   # what the log misses, then the table
    python experiments/residual_searches/noisy.py --rows gauss-newton --countries DEU --seeds 5 6
    python experiments/residual_searches/noisy.py --placement last --tokens 1

The embedded model, asked as `fit --readout sampled --respondents 50` asks it: the noise of an index is 8 to
13 points, other in every evaluation. With `--respondents 0` expected answers are told, without noise.
The true error is that of the expected answers. Beside what is recommended stands the best of all that was
visited, in truth: a search that visits what it does not recommend has a problem of choice, one that never
gets there has another.
"""

from __future__ import annotations

import argparse
import json
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from blackbox_align import engines
from blackbox_align.fitting import Specification
from blackbox_align.fitting.asking import Asked, search_space, unit_of
from blackbox_align.fitting.data import OPTIMIZER, PROMPT, generator, load_data
from blackbox_align.fitting.problem import pose
from blackbox_align.fitting.searcher import OFFERED, offer_starts
from blackbox_align.fitting.settled import settle
from blackbox_align.optimizers import create

ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "gauss-newton": ("gauss-newton", {}),
    "cma-diagonal": ("cma-diagonal", {}),
    "cma": ("cma", {}),
    "eki": ("eki", {}),
    "de": ("de", {}),
    "random": ("random", {}),
}
COUNTRIES = ("BRA", "JPN", "SWE")


@lru_cache(maxsize=1)
def asked() -> Asked:
    """The embedded model, loaded once."""
    return Asked(engines.open(Specification("BRA").model))


Place = tuple[str, int]
"""Where a prompt stands, and its tokens."""


def search(
    row: str,
    country: str,
    seed: int,
    budget: int,
    respondents: int,
    place: Place,
    options: dict[str, Any],
) -> dict[str, Any]:
    """One search, told what a sample of respondents answers, and its true errors."""
    name, usual = ROWS[row]
    engine = asked().engine
    readout = {"readout": "sampled", "respondents": respondents} if respondents else {}
    settings = Specification(country, seed=seed, placement=place[0], tokens=place[1], **readout)
    settings = settle(settings, engine.info, {})
    problem = pose(load_data(settings), asked())
    space = search_space(settings, engine, generator(settings, PROMPT), unit_of(engine, {}))
    rng = generator(settings, OPTIMIZER)
    optimizer = create(name, space.dimension, rng, budget=budget, **{**usual, **options})
    offer_starts(optimizer, settings, engine, space, OFFERED)

    def truth(answers: np.ndarray) -> np.ndarray:
        return problem.objective.losses(problem.objective.outputs(problem.arranged(answers)))[0]

    seen: list[float] = []
    marks: list[tuple[int, float]] = []
    began, answering = time.process_time(), 0.0
    while optimizer.told < budget:
        candidates = optimizer.ask(min(optimizer.batch, budget - optimizer.told))
        started = time.process_time()
        vectors = np.array([candidate.vector for candidate in candidates])
        answers = engine.answer(space.adapters(vectors), problem.sheet).probabilities
        evaluations, _ = problem.score(answers, optimizer.told)
        seen += truth(answers).tolist()
        answering += time.process_time() - started
        optimizer.tell(candidates, evaluations)
        if optimizer.told // 100 > len(marks) or optimizer.told >= budget:
            started = time.process_time()
            chosen = space.adapters(optimizer.recommend().vector[None])
            error = truth(engine.answer(chosen, problem.sheet).probabilities)[0]
            marks.append((optimizer.told, round(float(error), 2)))
            answering += time.process_time() - started
    return {
        "row": row, "country": country, "seed": seed, "budget": budget, "respondents": respondents,
        "place": list(place), "options": options, "recommended": marks, "visited": round(min(seen), 2),
        "late": round(float(np.median(seen[-budget // 8 :])), 2),
        "own_seconds": round(time.process_time() - began - answering, 2),
    }  # fmt: skip


def place_of(one: dict[str, Any]) -> Place:
    """Where the prompts of a search stood; those that do not say stood first, five tokens."""
    placement, tokens = one.get("place", ("first", 5))
    return placement, tokens


def table(searches: list[dict[str, Any]]) -> str:
    """A row an optimizer, a column a country: true errors of what was recommended, seed by seed."""
    countries = sorted({one["country"] for one in searches})
    lines = [
        f"| row | searches | mean | at most 3 | best visited, mean | {' | '.join(countries)} |",
        f"|{'---|' * (5 + len(countries))}",
    ]
    for row in sorted({one["row"] for one in searches}, key=list(ROWS).index):
        own = [one for one in searches if one["row"] == row]
        ends = np.array([one["recommended"][-1][1] for one in own])
        cells = [
            ", ".join(f"{o['recommended'][-1][1]:.1f}" for o in own if o["country"] == country)
            for country in countries
        ]
        visited = np.mean([one["visited"] for one in own])
        lines.append(
            f"| {row} | {len(own)} | {ends.mean():.1f} ({ends.min():.1f} to {ends.max():.1f}) | "
            f"{np.sum(ends <= 3)} | {visited:.1f} | {' | '.join(cells)} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", nargs="+", default=["gauss-newton"], choices=list(ROWS))
    parser.add_argument("--countries", nargs="+", default=list(COUNTRIES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--budget", type=int, default=400)
    parser.add_argument("--respondents", type=int, default=50)
    parser.add_argument("--placement", default="first")
    parser.add_argument("--tokens", type=int, default=5)
    parser.add_argument("--option", nargs="*", default=[], help="name=number, of the optimizer")
    parser.add_argument("--log", type=Path, default=Path(__file__).with_name("noisy.jsonl"))
    parsed = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    options = {k: float(v) for k, v in (one.split("=") for one in parsed.option)}
    known = parsed.log.read_text().splitlines() if parsed.log.exists() else []
    searches = [json.loads(line) for line in known]
    place = (parsed.placement, parsed.tokens)
    searches = [one for one in searches if place_of(one) == place]
    keys = ("row", "country", "seed", "budget", "respondents", "options")
    done = [tuple(one[key] for key in keys) for one in searches]
    for seed in parsed.seeds:
        for row in parsed.rows:
            for country in parsed.countries:
                wanted = (row, country, seed, parsed.budget, parsed.respondents, options)
                if wanted in done:
                    continue
                searches.append(search(*wanted[:-1], place, options))
                with parsed.log.open("a") as file:
                    file.write(json.dumps(searches[-1]) + "\n")
    print(table(searches))


if __name__ == "__main__":
    main()
