"""Which of nevergrad's optimizers go through a fit?

python benchmarks/optimizers/nevergrad_names.py          # what the log misses, then the count

Each name in a process of its own, on the embedded model: ``fit`` of Saudi Arabia to the end, expert and all.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
from collections import Counter
from pathlib import Path


def went(name: str, budget: int, answer: multiprocessing.Queue[str]) -> None:
    """Tell what became of a fit: ``done``, or the kind and the sentence of its error."""
    import blackbox_align as bba

    try:
        with tempfile.TemporaryDirectory() as runs:
            run = bba.fit("SAU", runs=runs, optimizer=f"ng:{name}", budget=budget, seed=0)
            answer.put("done" if run.expert.is_dir() else "no expert")
    except Exception as error:
        answer.put(f"{type(error).__name__}: {error}"[:200])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--budget", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=30.0, help="that a fit may take")
    parser.add_argument("--log", type=Path, default=Path(__file__).with_name("nevergrad.jsonl"))
    options = parser.parse_args()
    import nevergrad
    import torch  # before processes are forked, so that each begins with it

    import blackbox_align.engines.local.engine  # noqa: F401

    torch.set_num_threads(1)
    lines = options.log.read_text().splitlines() if options.log.exists() else []
    found = {one["name"]: one["end"] for one in map(json.loads, lines)}
    context = multiprocessing.get_context("fork")
    for name in sorted(nevergrad.optimizers.registry):
        if name in found:
            continue
        answer = context.Queue()
        child = context.Process(target=went, args=(name, options.budget, answer), daemon=True)
        child.start()
        child.join(options.seconds)
        found[name] = answer.get() if not answer.empty() else f"not within {options.seconds:.0f} s"
        child.kill()
        with options.log.open("a") as file:
            file.write(json.dumps({"name": name, "end": found[name]}) + "\n")
    for end, count in Counter(found.values()).most_common():
        print(f"{count:4d}  {end}")


if __name__ == "__main__":
    main()
