"""Does any path keep memory? Resident memory after 200 and after 2,000 evaluations.

python benchmarks/evaluator/leaks.py
"""

from __future__ import annotations

import numpy as np
import psutil

from blackbox_align.evaluators.base import PLACEMENTS
from blackbox_align.evaluators.in_process import InProcessEvaluator
from blackbox_align.evaluators.language_model import load_model
from blackbox_align.surveys import load_survey

FEW, MANY, BATCH = 200, 2000, 20


def main() -> None:
    model, survey = load_model(), load_survey("vsm2013")
    rng = np.random.default_rng(0)
    print(f"| path | after {FEW:,} evaluations | after {MANY:,} | growth |")
    print("|---|---|---|---|")
    for placement in PLACEMENTS:
        evaluator = InProcessEvaluator(model, placement=placement)
        resident = []
        for done in range(0, MANY, BATCH):
            shape = (BATCH, 5, model.embedding_width)
            evaluator.answer(rng.standard_normal(shape, dtype=np.float32), survey)
            if done + BATCH in (FEW, MANY):
                resident.append(psutil.Process().memory_info().rss / 1e6)
        few, many = resident
        print(
            f"| in process, prompt {placement} | {few:.0f} MB | {many:.0f} MB | {many / few - 1:+.1%} |"
        )


if __name__ == "__main__":
    main()
