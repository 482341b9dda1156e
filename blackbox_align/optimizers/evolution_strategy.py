"""A step along the mean of random directions, weighted by how well they did: no covariance, no subspace.

>>> import numpy as np
>>> from blackbox_align.optimizers import Evaluation, create
>>> optimizer = create("es", dimension=10, rng=np.random.default_rng(0))
>>> while optimizer.told < 2000:
...     candidates = optimizer.ask()
...     losses = [float(((c.vector - 1.0) ** 2).sum()) for c in candidates]
...     optimizer.tell(candidates, [Evaluation(loss) for loss in losses])
>>> bool(abs(optimizer.recommend().vector - 1.0).max() < 1.5)
True

With n directions u_i from a centre m, and losses L_i of m + sigma u_i:

(1)  z_i = (L_i - mean(L)) / std(L)
(2)  m <- m - eta sigma / n sum_i z_i u_i

``es`` draws u_i from N(0, I), as evolution strategies do (Salimans et al. 2017, arXiv 1703.03864, sec. 2),
with standardised losses in the place of ranks, in all dimensions of the prompt. ``fzoo`` draws signs and a
small batch: the step of Dang et al. 2025, "FZOO: fast zeroth-order optimizer", which divides by the standard
deviation of the losses as (1) does, and takes their mean where the paper asks for the loss of the centre.
"""

from __future__ import annotations

import numpy as np

from blackbox_align.optimizers.base import Array, Capabilities
from blackbox_align.optimizers.generations import GenerationalOptimizer, Told
from blackbox_align.optimizers.options import positive, step


class EvolutionStrategy(GenerationalOptimizer):
    """Directions around a centre, which moves against those that did worse.

    batch_size     n
    sigma          how far the directions lead
    learning_rate  eta; it stays as it is, so that a search ends in a cloud around the minimum
    signs          draw +1 and -1 in the place of a normal distribution

    Failed evaluations: they do not enter a step; a generation of nothing else halves sigma.
    """

    name = "es"
    capabilities = Capabilities(any_number=True)

    def __init__(
        self,
        dimension: int,
        rng: np.random.Generator,
        *,
        budget: int | None = None,
        batch_size: int = 20,
        sigma: float = 1.0,
        learning_rate: float = 2.0,
        signs: bool = False,
    ) -> None:
        super().__init__(dimension, rng, budget=budget)
        self.n = positive("batch_size", batch_size, low=2)  # one has no deviation
        self.sigma = step("sigma", sigma)
        self.eta = step("learning_rate", learning_rate)
        self.signs = signs
        self.m = np.zeros(self.dimension)

    @property
    def generation_size(self) -> int:
        return self.n

    def _ask(self, ids: range) -> list[Array]:
        return [self.m + self.sigma * self._direction() for _ in ids]

    def _direction(self) -> Array:
        if self.signs:
            return np.where(self.rng.integers(2, size=self.dimension) > 0, 1.0, -1.0)
        return self.rng.standard_normal(self.dimension)

    def _update(self, generation: list[Told]) -> None:
        L = np.array([loss for _, loss in generation])
        deviation = L.std()
        if deviation > 0 and np.isfinite(deviation):
            z = (L - L.mean()) / deviation  # (1)
            U = np.array([candidate.vector for candidate, _ in generation]) - self.m
            self.m = self.m - self.eta / self.n * (z @ U)  # (2)

    def _shrink(self) -> None:
        self.sigma /= 2
