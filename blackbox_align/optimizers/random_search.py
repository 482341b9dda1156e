"""Random search: the line every other optimizer has to beat."""

from __future__ import annotations

import numpy as np

from blackbox_align.optimizers.base import Candidate, Evaluation, Optimizer, between


class RandomSearch(Optimizer):
    """Independent draws from N(0, sigma^2 I); the best one is kept.

    Failed evaluations: they are forgotten; no draw depends on another.
    """

    name = "random"

    def __init__(
        self,
        dimension: int,
        rng: np.random.Generator,
        *,
        budget: int | None = None,
        sigma: float = 1.0,
    ) -> None:
        super().__init__(dimension, rng, budget=budget)
        self.sigma = between("sigma", sigma, 0.0)

    def _ask(self, ids: range) -> np.ndarray:
        return self.sigma * self.rng.standard_normal((len(ids), self.dimension))

    def _tell(self, candidates: list[Candidate], evaluations: list[Evaluation]) -> None:
        pass
