"""How many evaluations and tokens does each search need on a real model, one virtual token last?

    python experiments/residual_searches/real_model.py      # SmolLM2: what is missing, then the tables
    python experiments/residual_searches/real_model.py --rows default adam --seeds 0 1
    python experiments/residual_searches/real_model.py --model experiments/text_models/models/text-llama

Scales are asked in both directions. A search ends at an error of 3 index points or at its limit of
evaluations, and is one line of the model's log (`real_model.jsonl` for SmolLM2); a second call runs only
what is missing. What the model answered is kept beside the runs, by prompt, so that a search that was killed
goes on where it was and searches that ask the same prompt ask it once: answers do not depend on the target.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from real_model_report import write_report

from blackbox_align import engines
from blackbox_align.engines.base import Engine
from blackbox_align.engines.local.sizes import tokens_of_a_candidate
from blackbox_align.fitting import Specification
from blackbox_align.fitting.asking import Asked, search_space, unit_of
from blackbox_align.fitting.data import OPTIMIZER, PROMPT, generator, load_data
from blackbox_align.fitting.gradients import by_answers
from blackbox_align.fitting.problem import pose
from blackbox_align.fitting.searcher import OFFERED, offer_starts
from blackbox_align.optimizers import Candidate, Evaluation, Optimizer, create

HERE = Path(__file__).parent
SMOLLM2 = HERE.parent / "real_models/models/smollm2-135m-instruct"
COUNTRIES = ("SAU", "USA", "CHN", "IND")
ENOUGH = 3.0
ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "default": ("gauss-newton", {}),
    "adam": ("adam", {}),
    "cma-diagonal, sigma 0.5": ("cma-diagonal", {"sigma": 0.5}),
    "cma-diagonal, sigma 1": ("cma-diagonal", {"sigma": 1.0}),
    "cma-diagonal, sigma 2": ("cma-diagonal", {"sigma": 2.0}),
    "de": ("de", {}),
    "de, CR 0.7": ("de", {"CR": 0.7}),
    "random": ("random", {}),
}
"""What is compared: a name, the optimizer and its options. A word's norm is the unit of their steps."""


class Model:
    """A model with the survey in both directions, and what it answered so far."""

    def __init__(
        self,
        model: str,
        placement: str,
        tokens: int,
        kept: Path,
        engine: Engine | None = None,
        dtype: str = "float32",
    ) -> None:
        self.settings = {"model": model, "placement": placement, "tokens": tokens, "language": 0.0,
                         "dtype": dtype, "orders": "reversed", "hold_out": ""}  # fmt: skip
        self.engine = engine or engines.open(model, dtype=dtype)
        self.asked = Asked(self.engine, orders="reversed")
        self.unit = unit_of(self.engine, {})
        what = "" if dtype == "float32" else f"-{dtype}"
        self.kept = kept / f"{self.engine.info.revision[:12]}-{placement}-{tokens}{what}.jsonl"
        self.known: dict[str, tuple[list[float], float]] = {}
        if self.kept.exists():
            for line in self.kept.read_text().splitlines():
                one = json.loads(line)
                self.known[one["prompt"]] = one["outputs"], one["seconds"]

        # The first question of all is asked twice, as a check of the way it is computed.
        self.engine.answer(
            self.space(COUNTRIES[0], 0).adapters(np.zeros((2, self.width))),
            self.problem(COUNTRIES[0]).sheet,
        )

    @property
    def width(self) -> int:
        """Dimensions of a search."""
        return int(self.settings["tokens"] * self.engine.info.width)

    def problem(self, country: str) -> Any:
        """What `fit` asks and aims at for this country."""
        return pose(load_data(Specification(country, **self.settings)), self.asked)

    def space(self, country: str, seed: int) -> Any:
        """The prompts of a search, from the words that `fit` draws with this seed."""
        settings = Specification(country, seed=seed, **self.settings)
        return search_space(settings, self.engine, generator(settings, PROMPT), self.unit)

    @cached_property
    def tokens_of_one(self) -> int:
        """Tokens that a candidate adds to a pass."""
        sheet = self.problem(COUNTRIES[0]).sheet
        plan = self.engine._plan(sheet, "")
        return tokens_of_a_candidate(
            plan, self.settings["tokens"], self.settings["placement"]
        )[0]  # fmt: skip

    def outputs(self, problem: Any, space: Any, vectors: np.ndarray) -> tuple[np.ndarray, float]:
        """(P, 6) indices under prompts, and the processor seconds that asking took."""
        prompts = space.soft_prompts(vectors)
        names = [hashlib.sha256(prompt.tobytes()).hexdigest()[:24] for prompt in prompts]
        new = [n for n, name in enumerate(names) if name not in self.known]
        if new:
            started = time.process_time()
            answers = self.engine.answer(space.adapters(vectors[new]), problem.sheet).probabilities
            found = problem.objective.stacked(problem.objective.outputs(problem.arranged(answers)))
            seconds = (time.process_time() - started) / len(new)
            self.kept.parent.mkdir(parents=True, exist_ok=True)
            with self.kept.open("a") as file:
                for n, row in zip(new, found, strict=True):
                    self.known[names[n]] = row.tolist(), seconds
                    line = {"prompt": names[n], "outputs": row.tolist(), "seconds": seconds}
                    file.write(json.dumps(line) + "\n")
        rows = [self.known[name] for name in names]
        return np.array([row for row, _ in rows]), sum(seconds for _, seconds in rows)

    def slopes(self, problem: Any, space: Any, vectors: np.ndarray) -> tuple[Any, np.ndarray]:
        """Evaluations with gradients, and their residuals."""
        answers, pull = self.engine.pullback(space.adapters(vectors), problem.sheet)
        [evaluation] = problem.score(answers.probabilities, 0)[0]
        cotangent = by_answers(answers, problem.cotangent(answers.probabilities))
        gradient = space.pull(pull(cotangent))[0]
        return Evaluation(evaluation.loss, evaluation.residuals, gradient=gradient), gradient

    def without(self, hold_out: str) -> Model:
        """The same, where no search sees the indices ``hold_out``; what is known is shared."""
        other = copy(self)
        other.settings = self.settings | {"hold_out": hold_out}
        return other


def told(model: Model, problem: Any, space: Any, optimizer: Optimizer, candidates: list[Candidate]
         ) -> tuple[list[Evaluation], float]:  # fmt: skip
    """What a search hears of its candidates, and the processor seconds that asking took."""
    vectors = np.array([candidate.vector for candidate in candidates])
    if optimizer.capabilities.uses_gradient:
        started = time.process_time()
        evaluation, _ = model.slopes(problem, space, vectors)
        return [evaluation], time.process_time() - started
    outputs, seconds = model.outputs(problem, space, vectors)
    target = problem.objective.targets[0]
    residuals = (outputs - target)[:, ~np.isnan(target)]
    return [Evaluation(float(np.abs(row).mean()), row) for row in residuals], seconds


def search(
    model: Model, row: str, country: str, seed: int, limit: int
) -> tuple[dict[str, Any], np.ndarray]:
    """One search and its best prompt, (tokens, width); improvements are (evaluations, error) pairs."""
    name, options = ROWS[row]
    problem, space = model.problem(country), model.space(country, seed)
    settings = Specification(country, seed=seed)
    optimizer = create(
        name, space.dimension, generator(settings, OPTIMIZER), budget=limit, **options
    )
    words = replace(settings, **{**model.settings, "seed": seed})
    offer_starts(optimizer, words, model.engine, space, OFFERED)
    best, improvements, prompt = np.inf, [], np.zeros(space.dimension)
    asking, rounds, started, answering = 0.0, 0, time.process_time(), 0.0
    while optimizer.told < limit and best > ENOUGH:
        candidates = optimizer.ask(min(optimizer.batch, limit - optimizer.told))
        before = time.process_time()
        evaluations, seconds = told(model, problem, space, optimizer, candidates)
        answering += time.process_time() - before
        first = optimizer.told
        optimizer.tell(candidates, evaluations)
        asking, rounds = asking + seconds, rounds + 1
        for n, (candidate, evaluation) in enumerate(zip(candidates, evaluations, strict=True)):
            if evaluation.loss is not None and evaluation.loss < best:
                best, prompt = evaluation.loss, candidate.vector
                improvements.append((first + n + 1, round(float(best), 4)))
    own = time.process_time() - started - answering
    passes = 3 if optimizer.capabilities.uses_gradient else 1
    [best_prompt] = space.soft_prompts(prompt[None])
    norm = np.linalg.norm(best_prompt, axis=-1).mean()
    word = model.unit * np.sqrt(model.engine.info.width)
    probe = getattr(optimizer, "probe", None)
    record = {
        "model": Path(model.engine.info.name).name,
        "revision": model.engine.info.revision[:12],
        **{key: model.settings[key] for key in ("placement", "tokens", "dtype", "orders")},
        "row": row,
        "optimizer": name,
        "options": options,
        "country": country,
        "seed": seed,
        "limit": limit,
        "evaluations": optimizer.told,
        "rounds": rounds,
        "tokens_of_one": passes * model.tokens_of_one,
        "seconds": round(asking, 1),
        "own_seconds": round(own, 1),
        "norm": round(float(norm / word), 2),
        "spread": None if probe is None else round(probe.spread, 3),
        "improvements": improvements,
    }
    return record, best_prompt


def missing(
    log: Path, rows: list[str], countries: list[str], seeds: list[int], limits: Mapping[str, int]
) -> Iterator[tuple[str, str, int, int]]:
    """Searches that the log does not hold; the seeds go round last."""
    lines = log.read_text().splitlines() if log.exists() else []
    done = {(one["row"], one["country"], one["seed"]) for one in map(json.loads, lines)}
    for seed in seeds:
        for row in rows:
            for country in countries:
                if (row, country, seed) not in done:
                    yield row, country, seed, limits.get(row, 0)


def log_of(model: str, placement: str, tokens: int) -> Path:
    """Where the searches of a model are written down."""
    name = Path(model).name
    where = "" if (placement, tokens) == ("last", 1) else f"-{placement}-{tokens}"
    return HERE / f"{'real_model' if name == SMOLLM2.name else name}{where}.jsonl"


def parser_of(description: str | None) -> argparse.ArgumentParser:
    """What these scripts take: a model, and where a prompt of which length stands."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", default=str(SMOLLM2))
    parser.add_argument("--placement", default="last")
    parser.add_argument("--tokens", type=int, default=1)
    return parser


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS))
    parser.add_argument("--countries", nargs="+", default=list(COUNTRIES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--limit", type=int, default=1500, help="evaluations of a search at most")
    parser.add_argument("--steps", type=int, default=60, help="steps of a search by gradients")
    parser.add_argument("--log", type=Path, help="by default one a model, placement and length")
    parser.add_argument(
        "--kept", type=Path, default=HERE / "runs", help="folder of what was answered"
    )
    asked = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    limits = {row: asked.steps if ROWS[row][0] == "adam" else asked.limit for row in asked.rows}
    log = asked.log or log_of(asked.model, asked.placement, asked.tokens)
    wanted = list(missing(log, asked.rows, asked.countries, asked.seeds, limits))
    if wanted:
        model = Model(asked.model, asked.placement, asked.tokens, asked.kept)
        for row, country, seed, limit in wanted:
            found, _ = search(model, row, country, seed, limit)
            with log.open("a") as file:
                file.write(json.dumps(found) + "\n")
            error = found["improvements"][-1][1]
            print(
                f"{row}, {country}, seed {seed}: error {error:.2f} after {found['evaluations']} "
                f"evaluations, {found['seconds']:.0f} s, {found['norm']:.1f} words",
                flush=True,
            )
    write_report(log)


if __name__ == "__main__":
    main()
