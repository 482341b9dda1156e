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
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from report import print_report

OPTIMIZERS = ("gauss-newton", "cma-diagonal", "cma", "lshade", "de")
LIMIT = 20_000  # evaluations
COUNTRIES = ("SAU", "USA", "CHN", "IND")
ENOUGH = 2.0  # a search ends here: below, little is left to tell optimizers apart


@lru_cache(maxsize=1)
def load_study(model: str, tokens: int) -> Any:
    """The model is loaded once per process; countries and optimizers are put in its place."""
    import torch

    from blackbox_align.fitting.specification import Specification
    from blackbox_align.fitting.study import Study

    torch.set_num_threads(1)
    return Study.prepare(Specification("USA", model=model, tokens=tokens))


def search(
    model: str, tokens: int, country: str, optimizer: str, seed: int, limit: int
) -> dict[str, Any]:
    """One search; returns its improvements as (evaluations, loss) pairs."""
    base = load_study(model, tokens)
    settings = replace(base.specification, country=country, optimizer=optimizer, seed=seed)
    study = base.like(settings)
    parameterization = study.parameterization()
    searcher = study.optimizer(parameterization.dimension, limit, ENOUGH)
    improvements: list[tuple[int, float]] = []
    best, own_seconds, started = float("inf"), 0.0, time.perf_counter()
    while best > ENOUGH and searcher.told < limit:
        before = time.perf_counter()
        candidates = searcher.ask(min(searcher.batch, limit - searcher.told))
        own_seconds += time.perf_counter() - before
        vectors = np.array([candidate.vector for candidate in candidates])
        answers = study.answer(parameterization.soft_prompts(vectors))
        evaluations, _ = study.score(answers, [candidate.id for candidate in candidates])
        for number, evaluation in enumerate(evaluations, start=searcher.told + 1):
            if evaluation.loss is not None and evaluation.loss < best:
                best = evaluation.loss
                improvements.append((number, best))
        before = time.perf_counter()
        searcher.tell(candidates, evaluations)
        own_seconds += time.perf_counter() - before
    return {
        "model": Path(study.model.name).name,
        "revision": study.model.revision[:12],
        "tokens": tokens,
        "country": country,
        "optimizer": optimizer,
        "seed": seed,
        "evaluations": searcher.told,
        "seconds": round(time.perf_counter() - started, 3),
        "own_seconds": round(own_seconds, 3),
        "improvements": improvements,
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
