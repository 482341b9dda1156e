"""How well are workers used? Two workers against one, and 64 simulated ones.

    python benchmarks/scaling/run.py [workers] [simulated] [asks]
    ACTORS=8 python benchmarks/scaling/run.py asks          # where 64 processes are too many

Nothing else should run on the machine. The load average that is printed tells whether it did.
"""

from __future__ import annotations

import os
import sys
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
ACTORS = int(os.environ.get("ACTORS", "64"))
SLEEP, ROUNDS = 0.05, (20, 60, 400)
ASK, LONG = 2 * ACTORS, 10.0


@dataclass(frozen=True)
class Sleeper:
    """Loads an engine that sleeps ``seconds`` per chunk, or per candidate, and answers evenly."""

    seconds: float
    by_candidate: bool = False

    def __call__(self) -> FunctionEngine:
        def answer(adapters, asked):
            time.sleep(self.seconds * (len(adapters) if self.by_candidate else 1))
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
            calls = len(chunks(len(asked), ACTORS))
            wall, own = time.perf_counter(), time.process_time()
            pool.answer(asked, survey)
            wall, own = time.perf_counter() - wall, time.process_time() - own
            busy = calls * SLEEP / (wall * ACTORS)
            print(
                f"| {calls:,} | {busy:.1%} | {wall:.2f} | {own / len(asked) * 1000:.3f} | "
                f"{own / calls * 1000:.2f} |"
            )


def ask_after_ask(survey) -> None:
    """Asks of 128, each waited for, as a search has them."""
    prompts = [Adapter(prompt=SoftPrompt(np.zeros((5, 64), np.float32)))] * ASK
    pieces = len(chunks(ASK, ACTORS))
    print(f"\n{ACTORS} simulated workers, asks of {ASK} one after another for {LONG:.0f} s\n")
    print("| work | busy | ms an ask | of which work | driver's CPU ms an ask |")
    print("|---|---|---|---|---|")
    for by_candidate in (False, True):
        work = SLEEP * (ASK / pieces if by_candidate else 1)
        with Pool(Workers(ACTORS), on_trouble=print) as pool:
            pool.load(Sleeper(SLEEP, by_candidate))
            wait_for_workers(pool, prompts, survey, ACTORS)
            asks, own, begin = 0, time.process_time(), time.perf_counter()
            while (wall := time.perf_counter() - begin) < LONG:
                pool.answer(prompts, survey)
                asks += 1
            own = time.process_time() - own
        of = "candidate" if by_candidate else f"chunk of {ASK // pieces}"
        print(
            f"| {1000 * SLEEP:.0f} ms a {of} | {asks * pieces * work / (wall * ACTORS):.1%} | "
            f"{1000 * wall / asks:.1f} | {1000 * work:.0f} | {1000 * own / asks:.1f} |"
        )


if __name__ == "__main__":
    survey = sheet(load_survey("vsm2013"))
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} CPUs; load average before: {load:.1f}")
    parts = {"workers": compare_workers, "simulated": simulate, "asks": ask_after_ask}
    for name in sys.argv[1:] or parts:
        parts[name](survey)
