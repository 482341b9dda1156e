"""Is a comparison that is killed the same as one that is not, and what does it cost beside the bare loop?

    python benchmarks/comparing/run.py                          # 200 searches of 1,000 evaluations, twice
    python benchmarks/comparing/run.py --budget 100             # the same at a tenth of the price
    python benchmarks/comparing/run.py --seeds 0..1 --no-kills  # the price alone, on a share of the searches

One command of ``bbalign compare`` makes all searches. It runs once undisturbed, and once more killed with
SIGKILL when a third and two thirds of the searches are done; what both write is compared byte by byte. The
bare loop asks, answers, scores and tells, on the problems of the first seed, with nothing on disk. Prints a
line of JSON for each; times are of the processor.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

OPTIMIZERS = ("gauss-newton", "cma-diagonal", "cma", "de", "random")
COUNTRIES = ("SAU", "USA", "CHN", "IND")
WRITTEN = ("searches.csv", "table.tex", "improvements.csv")


def command(options: argparse.Namespace) -> list[str]:
    """No search reaches a loss of 0, so each spends its budget."""
    return [
        sys.executable, "-m", "blackbox_align", "compare", "--optimizer", ",".join(OPTIMIZERS),
        "--country", ",".join(COUNTRIES), "--seeds", options.seeds, "--budget", str(options.budget),
        "--target-loss", "0", "--csv", WRITTEN[0], "--latex", WRITTEN[1], "--inspector", WRITTEN[2],
        "--jobs", str(options.jobs), "--json",
    ]  # fmt: skip


def compare(options: argparse.Namespace, folder: Path) -> float:
    """Seconds of the processor that one whole command takes; its table is kept beside its files."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with (folder / "table.json").open("w") as table, (folder / "log.txt").open("a") as log:
        subprocess.run(command(options), cwd=folder, stdout=table, stderr=log, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def done(folder: Path) -> int:
    """Searches that have a result."""
    return len(list(folder.glob("runs/comparison/*/result.json")))


def kill(options: argparse.Namespace, folder: Path, searches: int) -> int:
    """Begin, or go on, and kill it and all that it started after so many searches; returns how many."""
    with (folder / "log.txt").open("a") as log:
        started = subprocess.Popen(
            command(options), cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
    while started.poll() is None and done(folder) < searches:
        time.sleep(0.05)
    time.sleep(0.7)  # inside of the next one
    os.killpg(started.pid, signal.SIGKILL)
    started.wait()
    return done(folder)


def bare(seed: int, budget: int) -> float:
    """Evaluations per second of the processor, in this process: ask, answer, score, tell."""
    import torch

    from blackbox_align.fitting.tasks import open_task
    from blackbox_align.optimizers import create

    torch.set_num_threads(1)
    spent = 0.0
    for country in COUNTRIES:
        task = open_task(country, seed=seed)
        for name in OPTIMIZERS:
            start = time.process_time()
            optimizer = create(name, task.dimension, np.random.default_rng(seed), budget=budget)
            while optimizer.told < budget:
                candidates = optimizer.ask(min(optimizer.batch, budget - optimizer.told))
                adapters = task.space.adapters(np.stack([one.vector for one in candidates]))
                optimizer.tell(candidates, task.of_adapters(adapters)[1])
            spent += time.process_time() - start
        task.close()
    return len(COUNTRIES) * len(OPTIMIZERS) * budget / spent


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--budget", type=int, default=1000)
    parser.add_argument("--seeds", default="0..9")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--no-kills", action="store_true")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as name:
        whole, killed = Path(name) / "whole", Path(name) / "killed"
        whole.mkdir()
        killed.mkdir()
        seconds = compare(options, whole)
        searches = done(whole)
        evaluations = searches * options.budget
        told = {"searches": searches, "evaluations": evaluations, "seconds": round(seconds, 1)}
        print(json.dumps({**told, "a_second": round(evaluations / seconds, 1)}), flush=True)
        if not options.no_kills:
            at = [kill(options, killed, searches * third // 3) for third in (1, 2)]
            compare(options, killed)
            files = (*WRITTEN, "table.json")
            same = {n: (whole / n).read_bytes() == (killed / n).read_bytes() for n in files}
            print(json.dumps({"killed_after": at, "of": searches, "same_bytes": same}), flush=True)
        loop = bare(int(options.seeds.split(".")[0]), options.budget)
        share = evaluations / seconds / loop
        print(
            json.dumps({"bare_a_second": round(loop, 1), "share_of_the_bare_loop": round(share, 3)})
        )


if __name__ == "__main__":
    main()
