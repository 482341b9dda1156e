"""A whole plug-in: one class, one line of setup.cfg, and a test file of five lines."""

from __future__ import annotations

import numpy as np

from blackbox_align.optimizers import Candidate, Evaluation, Optimizer


class HillClimber(Optimizer):
    """Random steps from the best point so far, longer after a success, shorter otherwise.

    Failed evaluations: a step that did not succeed.
    """

    name = "hill-climber"

    def __init__(
        self,
        dimension: int,
        rng: np.random.Generator,
        *,
        budget: int | None = None,
        step: float = 1.0,
    ) -> None:
        super().__init__(dimension, rng, budget=budget)
        self.x, self.f, self.step = np.zeros(dimension), np.inf, step

    def _ask(self, ids: range) -> np.ndarray:
        return self.x + self.step * self.rng.standard_normal((len(ids), self.dimension))

    def _tell(self, candidates: list[Candidate], evaluations: list[Evaluation]) -> None:
        for candidate, evaluation in zip(candidates, evaluations, strict=True):
            if evaluation.loss is not None and evaluation.loss < self.f:
                self.x, self.f = np.array(candidate.vector), evaluation.loss
                self.step *= 1.5
            else:
                self.step *= 0.95
