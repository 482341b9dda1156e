"""What an optimizer itself costs at the size of a large model's prompt: time and memory.

python benchmarks/optimizers/own_time.py                  # 20,480 dimensions: 5 tokens of width 4,096
python benchmarks/optimizers/own_time.py --dimension 500

Each runs in a process of its own, on six residuals that cost next to nothing.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time

import numpy as np
import psutil

OPTIMIZERS = (
    "gauss-newton", "eki", "cma-diagonal", "cma", "cma-lra", "de", "de-best", "shade", "lshade",
    "random",
)  # fmt: skip


def cost(name: str, dimension: int, evaluations: int) -> tuple[float, float, float] | str:
    """Milliseconds per evaluation, of all and of the last quarter, and megabytes; or why not."""
    from blackbox_align.errors import BlackboxAlignError
    from blackbox_align.optimizers import Evaluation, create

    rng = np.random.default_rng(0)
    slope = rng.standard_normal((6, dimension)) / np.sqrt(dimension)
    target = 30 * rng.standard_normal(6)
    before = psutil.Process().memory_info().rss
    try:
        optimizer = create(name, dimension, np.random.default_rng(1), budget=evaluations)
    except BlackboxAlignError as error:
        return str(error)
    spent: list[float] = []
    peak = before
    while optimizer.told < evaluations:
        begin = time.perf_counter()
        candidates = optimizer.ask(min(optimizer.batch, evaluations - optimizer.told))
        asking = time.perf_counter() - begin
        vectors = np.array([candidate.vector for candidate in candidates])
        residuals = 10 * np.tanh(vectors @ slope.T) * 3 - target
        told = [Evaluation(float(np.abs(row).mean()), row) for row in residuals]
        begin = time.perf_counter()
        optimizer.tell(candidates, told)
        each = (asking + time.perf_counter() - begin) / len(candidates)
        spent += [each] * len(candidates)
        peak = max(peak, psutil.Process().memory_info().rss)
    late = spent[-len(spent) // 4 :]
    return 1e3 * float(np.mean(spent)), 1e3 * float(np.mean(late)), (peak - before) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dimension", type=int, default=20_480)
    parser.add_argument("--evaluations", type=int, default=2000)
    parser.add_argument("--optimizer", action="append")
    options = parser.parse_args()
    print(f"{options.dimension:,} dimensions, {options.evaluations:,} evaluations\n")
    print("| optimizer | ms/evaluation | in the last quarter | memory |")
    print("|---|---|---|---|")
    context = multiprocessing.get_context("spawn")
    for name in options.optimizer or OPTIMIZERS:
        with context.Pool(1) as pool:
            found = pool.apply(cost, (name, options.dimension, options.evaluations))
        if isinstance(found, str):
            print(f"| {name} | refused: {found} | | |", flush=True)
        else:
            mean, late, memory = found
            print(f"| {name} | {mean:.2f} | {late:.2f} | {memory:,.0f} MB |", flush=True)


if __name__ == "__main__":
    main()
