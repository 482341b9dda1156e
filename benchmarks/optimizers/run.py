"""fit-4: how many evaluations does each optimizer need? Runs the searches and logs them.

    python benchmarks/optimizers/run.py            # the embedded model; prints the table at the end
    python benchmarks/optimizers/run.py --model FOLDER --tokens 8 --log held-out.jsonl

Every optimizer fits the same countries with the same seeds on the same model. A search ends at an
error of two index points or at the limit of evaluations. Each finished search is one line of the log; a
second call runs only what is missing. `report.py` reads the log and prints the table.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from report import print_report

from blackbox_align.fitting import Specification
from blackbox_align.fitting.data import OPTIMIZER, generator
from blackbox_align.fitting.search import Batch, Standing
from blackbox_align.fitting.search import search as loop
from blackbox_align.fitting.searcher import OFFERED, offer_starts
from blackbox_align.fitting.stopping import Stopping
from blackbox_align.optimizers import Evaluation, create

OPTIMIZERS = ("gauss-newton", "cma-diagonal", "cma", "lshade", "de")
LIMIT = 20_000  # evaluations
COUNTRIES = ("SAU", "USA", "CHN", "IND")
ENOUGH = 2.0  # a search ends here: below, little is left to tell optimizers apart


@lru_cache(maxsize=1)
def load(model: str) -> Any:
    """The model is loaded once per process; it answers on one thread."""
    import torch

    from blackbox_align import engines

    torch.set_num_threads(1)
    return engines.open(model)


@lru_cache(maxsize=8)
def problem_of(model: str, tokens: int, country: str) -> tuple[Callable[..., np.ndarray], Any]:
    """From vectors of a search to residuals in index points, and the space that it searches."""
    from blackbox_align.fitting.asking import Asked, search_space, unit_of
    from blackbox_align.fitting.data import PROMPT, generator, load_data
    from blackbox_align.fitting.problem import pose

    settings = Specification(country, model=model, tokens=tokens)
    engine = load(model)
    problem = pose(load_data(settings), Asked(engine, orders=engine.info.orders))
    space = search_space(settings, engine, generator(settings, PROMPT), unit_of(engine, {}))
    asked, target = problem.sheet, problem.objective.targets[0]

    def residuals(vectors: np.ndarray) -> np.ndarray:
        answers = engine.answer(space.adapters(vectors), asked).probabilities
        outputs = problem.objective.outputs(problem.arranged(answers))
        return (problem.objective.stacked(outputs) - target)[:, ~np.isnan(target)]

    return residuals, space


def search(
    model: str, tokens: int, country: str, optimizer: str, seed: int, limit: int
) -> dict[str, Any]:
    """One search; returns its improvements as (evaluations, loss) pairs."""
    residuals, space = problem_of(model, tokens, country)
    settings = Specification(country, model=model, tokens=tokens, optimizer=optimizer, seed=seed)
    asking, losses = 0.0, []

    def evaluate(vectors: np.ndarray, first: int) -> Batch:
        nonlocal asking
        before = time.perf_counter()
        found = residuals(vectors)
        asking += time.perf_counter() - before
        errors = np.abs(found).mean(axis=1)
        losses.extend(errors)
        told = [Evaluation(float(e), row) for e, row in zip(errors, found, strict=True)]
        return Batch(vectors, errors[None], told)

    started = time.perf_counter()
    searcher = create(optimizer, space.dimension, generator(settings, OPTIMIZER), budget=limit)
    offer_starts(searcher, settings, load(model), space, OFFERED)  # as a fit does
    loop(evaluate, searcher, Standing(1, space.dimension, Stopping(limit, ENOUGH)))
    seconds = time.perf_counter() - started
    lowest = np.fmin.accumulate(losses)
    better = np.flatnonzero(np.diff(lowest, prepend=np.inf) < 0)
    info = load(model).info
    return {
        "model": Path(info.name).name,
        "revision": info.revision[:12],
        "tokens": tokens,
        "country": country,
        "optimizer": optimizer,
        "seed": seed,
        "evaluations": len(losses),
        "seconds": round(seconds, 3),
        "own_seconds": round(seconds - asking, 3),
        "improvements": [(int(n) + 1, float(lowest[n])) for n in better],
    }


def log_search(log: Path, *settings: Any) -> None:
    """Run one search and append it to the log at once, so that little is lost by an interruption."""
    line = json.dumps(search(*settings)) + "\n"
    with log.open("a") as file:
        file.write(line)


def main() -> None:
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", default="respondent-tiny")
    parser.add_argument("--tokens", type=int, default=5)
    parser.add_argument("--log", type=Path, default=here / "fit-4.jsonl")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--optimizers", nargs="+", default=list(OPTIMIZERS))
    parser.add_argument("--countries", nargs="+", default=list(COUNTRIES))
    parser.add_argument(
        "--limit", type=int, default=LIMIT, help="evaluations of one search at most"
    )
    parser.add_argument("--workers", type=int, default=2, help="processes of one thread each")
    arguments = parser.parse_args()

    def key(record: dict[str, Any]) -> tuple[Any, ...]:
        return record["optimizer"], record["country"], record["seed"]

    logged = arguments.log.read_text().splitlines() if arguments.log.exists() else []
    done = {key(json.loads(line)) for line in logged}
    wanted = [
        (optimizer, country, seed)
        for seed in range(arguments.seeds)
        for optimizer in arguments.optimizers
        for country in arguments.countries
        if (optimizer, country, seed) not in done
    ]
    jobs = (
        delayed(log_search)(
            arguments.log,
            arguments.model,
            arguments.tokens,
            country,
            optimizer,
            seed,
            arguments.limit,
        )
        for optimizer, country, seed in wanted
    )
    Parallel(arguments.workers, "multiprocessing")(jobs)
    print_report(arguments.log)


if __name__ == "__main__":
    main()
