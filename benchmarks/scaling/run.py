"""How well are workers used? Two workers against one, and 64 simulated ones.

    python benchmarks/scaling/run.py

Nothing else should run on the machine. The load average that is printed tells whether it did.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from statistics import median

import numpy as np

from blackbox_align.adapters import Adapter, SoftPrompt
from blackbox_align.engines import FunctionEngine, Workers
from blackbox_align.engines.ray.jobs import chunks
from blackbox_align.engines.ray.pool import Pool
from blackbox_align.surveys import load_survey
from blackbox_align.surveys.sheet import sheet

CANDIDATES = (20, 256)
ACTORS, SLEEP, ROUNDS = 64, 0.05, (20, 60, 400)


@dataclass(frozen=True)
class Sleeper:
    """Loads an engine that sleeps ``seconds`` per chunk and answers evenly."""

    seconds: float

    def __call__(self) -> FunctionEngine:
        def answer(adapters, asked):
            time.sleep(self.seconds)
            return np.full((len(adapters), len(asked.questions), asked.width), 1 / asked.width)

        return FunctionEngine(answer)


def seconds_to_answer(engine, prompts, asked, repeats=7) -> float:
    """The median time of a call, after one that warms up."""
    engine.answer(prompts, asked)
    times = []
    for _ in range(repeats):
        before = time.perf_counter()
        engine.answer(prompts, asked)
        times.append(time.perf_counter() - before)
    return median(times)


def wait_for_workers(pool, prompts, survey, count) -> None:
    """Ask until all workers have loaded: some answer long before the last is there."""
    while pool.ready < count:
        pool.answer(prompts, survey)


def compare_workers(survey) -> None:
    import torch

    from blackbox_align.engines.checkpoint import load_model
    from blackbox_align.engines.local.engine import LocalEngine
    from blackbox_align.engines.ray.worker_model import LoadModel

    torch.set_num_threads(1)
    model = load_model(device="cpu")
    rng = np.random.default_rng(0)
    shape = (max(CANDIDATES), 5, model.embedding_width)
    vectors = rng.normal(0, model.embedding_std(), shape)
    prompts = [Adapter(prompt=SoftPrompt(each)) for each in vectors]
    load = LoadModel(model.name, None, "cpu", "float32", False, model.revision)
    seconds = {}
    here = LocalEngine(model)
    for count in CANDIDATES:
        seconds["in process", count] = seconds_to_answer(here, prompts[:count], survey)
    for workers in (1, 2):
        with Pool(Workers(workers), on_trouble=print) as pool:
            pool.load(load)
            wait_for_workers(pool, prompts[:8], survey, workers)
            for count in CANDIDATES:
                seconds[f"{workers} by Ray", count] = seconds_to_answer(
                    pool, prompts[:count], survey
                )
    print(f"\n{model.name}, workers of one thread: candidates per second\n")
    print("| candidates | in process | 1 worker | 2 workers | 2 to 1 | 2 to in process |")
    print("|---|---|---|---|---|---|")
    for count in CANDIDATES:
        here_, one, two = (
            count / seconds[kind, count] for kind in ("in process", "1 by Ray", "2 by Ray")
        )
        print(
            f"| {count} | {here_:.0f} | {one:.0f} | {two:.0f} | {two / one:.2f} | {two / here_:.2f} |"
        )


def simulate(survey) -> None:
    prompt = SoftPrompt(np.zeros((5, 64), np.float32))
    prompts = [Adapter(prompt=prompt)] * (ACTORS * 8 * max(ROUNDS))
    print(f"\n{ACTORS} simulated workers, {SLEEP * 1000:.0f} ms per chunk of 8\n")
    print("| chunks | busy | wall s | driver's CPU ms per evaluation | driver's CPU ms per chunk |")
    print("|---|---|---|---|---|")
    with Pool(Workers(ACTORS), on_trouble=print) as pool:
        pool.load(Sleeper(SLEEP))
        wait_for_workers(pool, prompts[: ACTORS * 8], survey, ACTORS)
        for rounds in ROUNDS:
            asked = prompts[: ACTORS * 8 * rounds]
            calls = len(chunks(len(asked)))
            wall, own = time.perf_counter(), time.process_time()
            pool.answer(asked, survey)
            wall, own = time.perf_counter() - wall, time.process_time() - own
            busy = calls * SLEEP / (wall * ACTORS)
            print(
                f"| {calls:,} | {busy:.1%} | {wall:.2f} | {own / len(asked) * 1000:.3f} | "
                f"{own / calls * 1000:.2f} |"
            )


if __name__ == "__main__":
    survey = sheet(load_survey("vsm2013"))
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} CPUs; load average before: {load:.1f}")
    compare_workers(survey)
    simulate(survey)
