"""How long it takes, and how much memory, to ask a model all questions of one country.

    python benchmarks/assessment/run.py                  # questions of our own making: 125, 500, 2,000
    python benchmarks/assessment/run.py --file FILE --country BRA

Every row is a process of its own: `bbalign score` without a prompt, every rotation of the options, and
the same again from the answers that were kept. Peak memory has to follow the batch, not the file.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

WORDS = ["people", "work", "family", "country", "trust", "future", "world", "science", "health",
         "school", "life", "time", "should", "more", "less", "often", "never", "government"]  # fmt: skip
SIZES = (125, 500, 2000)


def write_opinions(path: Path, questions: int) -> None:
    """Questions of 8 to 40 words with four options each, as one country answers them."""
    rng = np.random.default_rng(0)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["item", "question", "option", "country", "share"])
        for number in range(questions):
            text = " ".join(rng.choice(WORDS, rng.integers(8, 41)))
            for option, share in enumerate(rng.dirichlet(np.ones(4))):
                words = " ".join(rng.choice(WORDS, rng.integers(1, 5)))
                writer.writerow([number, f"{text}?", f"{words} {option}", "Brazil", f"{share:.6f}"])


def measure(file: str, country: str, model: str, batch: int, threads: int) -> list[float]:
    """Questions asked, wall and processor seconds, peak megabytes, seconds of the second score."""
    import torch

    from blackbox_align.assessment import score

    torch.set_num_threads(threads)
    asked = 0

    def on_batch(questions: int) -> None:
        nonlocal asked
        asked += questions

    wall, processor = time.perf_counter(), time.process_time()
    score(file, country=country, model=model, batch=batch, on_batch=on_batch)
    questions, wall, processor = asked, time.perf_counter() - wall, time.process_time() - processor
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    again = time.perf_counter()
    score(file, country=country, model=model, batch=batch)
    return [questions, wall, processor, peak, time.perf_counter() - again]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", help="an opinion survey; questions are made up without one")
    parser.add_argument("--country", default="BRA")
    parser.add_argument("--model", default="respondent-tiny")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    print(f"{arguments.model}, batches of {arguments.batch}, {arguments.threads} threads\n")
    print(
        "| questions | prompts | seconds | processor seconds | peak memory, MB | seconds, again |"
    )
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = (
            folder  # nobody's answers are found, and none are left behind
        )
        for size in [0] if arguments.file else SIZES:
            file = arguments.file or str(Path(folder, f"{size}.csv"))
            if not arguments.file:
                write_opinions(Path(file), size)
            with ProcessPoolExecutor(1, get_context("spawn")) as process:
                settings = (arguments.country, arguments.model, arguments.batch, arguments.threads)
                prompts, *figures = process.submit(measure, file, *settings).result()
            seconds, processor, peak, again = figures
            print(
                f"| {size or arguments.file} | {prompts:,.0f} | {seconds:.1f} | {processor:.1f} "
                f"| {peak:.0f} | {again:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
