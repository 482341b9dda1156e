"""Random search: the line every other optimizer has to beat.

>>> import numpy as np
>>> from blackbox_align.optimizers import Evaluation, create
>>> optimizer = create("random", dimension=2, rng=np.random.default_rng(0))
>>> candidates = optimizer.ask(200)
>>> losses = [float(((c.vector - 1) ** 2).sum()) for c in candidates]
>>> optimizer.tell(candidates, [Evaluation(loss) for loss in losses])
>>> bool(abs(optimizer.recommend().vector - 1).max() < 0.5)
True
"""

from __future__ import annotations

import numpy as np

from blackbox_align.optimizers.base import Array, Candidate, Evaluation, Optimizer
from blackbox_align.optimizers.options import step


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
        self.sigma = step("sigma", sigma)

    def _ask(self, ids: range) -> Array:
        return self.sigma * self.rng.standard_normal((len(ids), self.dimension))

    def _tell(self, candidates: list[Candidate], evaluations: list[Evaluation]) -> None:
        pass
