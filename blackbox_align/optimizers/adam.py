"""Adam: steps along the gradient, for engines that can differentiate.

Kingma and Ba (2015), "Adam: A Method for Stochastic Optimization", algorithm 1. It is what a search that
only sees answers is measured against, and often the better tool for people who hold the weights.

>>> import numpy as np
>>> from blackbox_align.optimizers import Evaluation, create
>>> optimizer = create("adam", dimension=2, rng=np.random.default_rng(0))
>>> for _ in range(60):
...     [candidate] = optimizer.ask()
...     away = candidate.vector - 1
...     optimizer.tell([candidate], [Evaluation(float(away @ away), gradient=2 * away)])
>>> bool(abs(optimizer.recommend().vector - 1).max() < 0.1)
True
"""

from __future__ import annotations

import numpy as np

from .base import Array, Candidate, Capabilities, Evaluation, Optimizer
from .options import between, step


class Adam(Optimizer):
    """One point that follows the gradient, every coordinate with a step of its own length.

    Parameters
    ----------
    learning_rate : alpha of the paper, the length of a step in every coordinate; the default is 0.3 of the
        standard deviation of a word's embedding, where coordinates are those of a soft prompt
    beta1, beta2 : how slowly the means of gradients and of their squares forget
    epsilon : keeps steps finite where gradients vanish

    Failed evaluations: the point goes back half of the way to the last one that succeeded.
    """

    name = "adam"
    capabilities: Capabilities = Capabilities(
        any_number=False,
        partial_tell=False,
        out_of_order_tell=False,
        uses_gradient=True,
        stochastic=False,
    )

    def __init__(
        self,
        dimension: int,
        rng: np.random.Generator,
        *,
        budget: int | None = None,
        learning_rate: float = 0.3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        super().__init__(dimension, rng, budget=budget)
        self.alpha = step("learning_rate", learning_rate)
        self.beta1 = between("beta1", beta1, 0.0, 1 - 1e-9)
        self.beta2 = between("beta2", beta2, 0.0, 1 - 1e-9)
        self.epsilon = step("epsilon", epsilon)
        self._point = np.zeros(dimension)
        self._good = np.zeros(dimension)
        self._m, self._v, self._t = np.zeros(dimension), np.zeros(dimension), 0

    @property
    def batch(self) -> int:
        return 1

    def _ask(self, ids: range) -> Array:
        return np.repeat(self._point[None], len(ids), axis=0)

    def _tell(self, candidates: list[Candidate], evaluations: list[Evaluation]) -> None:
        for candidate, evaluation in zip(candidates, evaluations, strict=True):
            if evaluation.gradient is None:
                self._point = (candidate.vector + self._good) / 2
            else:
                self._good = candidate.vector
                self._point = candidate.vector - self._step(evaluation.gradient)

    def _step(self, g: Array) -> Array:
        """The step of algorithm 1, in its symbols."""
        self._t += 1
        self._m = self.beta1 * self._m + (1 - self.beta1) * g
        self._v = self.beta2 * self._v + (1 - self.beta2) * g**2
        m_hat = self._m / (1 - self.beta1**self._t)
        v_hat = self._v / (1 - self.beta2**self._t)
        return np.asarray(self.alpha * m_hat / (np.sqrt(v_hat) + self.epsilon))
