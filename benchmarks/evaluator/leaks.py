"""Does any path keep memory? Resident memory after 200 and after 2,000 evaluations.

python benchmarks/evaluator/leaks.py
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import psutil

from blackbox_align.adapters import PLACEMENTS, Adapter, SoftPrompt
from blackbox_align.engines import Workers
from blackbox_align.engines.checkpoint import LanguageModel, load_model
from blackbox_align.engines.local.engine import LocalEngine
from blackbox_align.engines.ray.pool import Pool
from blackbox_align.engines.ray.worker_model import LoadModel
from blackbox_align.surveys import load_survey
from blackbox_align.surveys.sheet import sheet

FEW, MANY, BATCH = 200, 2000, 20


def watch(
    engine: LocalEngine | Pool,
    model: LanguageModel,
    placement: str,
    resident: Callable[[], list[float]],
):
    """``resident()`` after :data:`FEW` and after :data:`MANY` evaluations."""
    asked, rng, seen = sheet(load_survey("vsm2013")), np.random.default_rng(0), []
    for done in range(0, MANY, BATCH):
        vectors = rng.standard_normal((BATCH, 5, model.embedding_width), dtype=np.float32)
        engine.answer([Adapter(prompt=SoftPrompt(each, placement)) for each in vectors], asked)
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
        for sizes in watch(LocalEngine(model), model, placement, partial(megabytes, here)):
            print_row(f"in process, prompt {placement}", *sizes)
    load = LoadModel(model.name, None, "cpu", "float32", False, model.revision)
    with Pool(Workers(2), on_trouble=print) as pool:
        pool.load(load)
        while pool.ready < 2:
            pool.answer([Adapter()] * 2, sheet(load_survey("vsm2013")))
        children = here.children(recursive=True)
        workers = [child for child in children if child.cmdline()[0].startswith("ray::_Process")]
        paths = ("driver of two workers", "first worker", "second worker")
        rows = watch(pool, model, "first", partial(megabytes, here, *workers))
        for path, sizes in zip(paths, rows, strict=True):
            print_row(path, *sizes)


if __name__ == "__main__":
    main()
