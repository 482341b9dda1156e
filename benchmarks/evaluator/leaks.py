"""Does any path keep memory? Resident memory after 200 and after 2,000 evaluations.

python benchmarks/evaluator/leaks.py
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import psutil

from blackbox_align.engines import Evaluator
from blackbox_align.engines.base import PLACEMENTS
from blackbox_align.engines.checkpoint import LanguageModel, load_model
from blackbox_align.engines.local.in_process import InProcessEvaluator
from blackbox_align.engines.ray.pool import RayEvaluator, Workers
from blackbox_align.engines.ray.worker_model import LoadModel
from blackbox_align.surveys import load_survey

FEW, MANY, BATCH = 200, 2000, 20


def watch(evaluator: Evaluator, model: LanguageModel, resident: Callable[[], list[float]]):
    """``resident()`` after :data:`FEW` and after :data:`MANY` evaluations."""
    survey, rng, seen = load_survey("vsm2013"), np.random.default_rng(0), []
    for done in range(0, MANY, BATCH):
        shape = (BATCH, 5, model.embedding_width)
        evaluator.answer(rng.standard_normal(shape, dtype=np.float32), survey)
        if done + BATCH in (FEW, MANY):
            seen.append(resident())
    return zip(*seen, strict=True)


def megabytes(*processes: psutil.Process) -> list[float]:
    return [process.memory_info().rss / 1e6 for process in processes]


def print_row(path: str, few: float, many: float) -> None:
    print(f"| {path} | {few:.0f} MB | {many:.0f} MB | {many / few - 1:+.1%} |", flush=True)


def main() -> None:
    model, here = load_model(device="cpu"), psutil.Process()
    print(f"| path | after {FEW:,} evaluations | after {MANY:,} | growth |")
    print("|---|---|---|---|")
    for placement in PLACEMENTS:
        evaluator = InProcessEvaluator(model, placement=placement)
        for sizes in watch(evaluator, model, partial(megabytes, here)):
            print_row(f"in process, prompt {placement}", *sizes)
    load = LoadModel(model.name, None, "cpu", "float32", False, "first", model.revision)
    with RayEvaluator(Workers(2), on_trouble=print) as pool:
        pool.load(load)
        while pool.ready < 2:
            pool.answer(np.zeros((2, 5, model.embedding_width), np.float32), load_survey("vsm2013"))
        children = here.children(recursive=True)
        workers = [child for child in children if child.cmdline()[0].startswith("ray::_Process")]
        paths = ("driver of two workers", "first worker", "second worker")
        rows = watch(pool, model, partial(megabytes, here, *workers))
        for path, sizes in zip(paths, rows, strict=True):
            print_row(path, *sizes)


if __name__ == "__main__":
    main()
