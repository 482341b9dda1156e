"""Differential Evolution (Storn & Price 1997): rand/1/bin, best/1/bin and current-to-best/1/bin.

>>> import numpy as np
>>> from blackbox_align.optimizers import Evaluation, create
>>> optimizer = create("de", dimension=4, rng=np.random.default_rng(0))
>>> while optimizer.told < 2000:
...     candidates = optimizer.ask()
...     losses = [float(((c.vector - 1) ** 2).sum()) for c in candidates]
...     optimizer.tell(candidates, [Evaluation(loss) for loss in losses])
>>> bool(abs(optimizer.recommend().vector - 1).max() < 0.1)
True

rand/1/bin is the search of "soft prompt + Differential Evolution" (arXiv 2503.16094). Equation
numbers are those of Storn & Price 1997, "Differential Evolution - A Simple and Efficient Heuristic
for Global Optimization over Continuous Spaces".
"""

from __future__ import annotations

import numpy as np

from blackbox_align.optimizers.base import Array, Candidate, Evaluation, Optimizer, succeeded
from blackbox_align.optimizers.options import between, one_of, positive, step

STRATEGIES = ("rand/1/bin", "best/1/bin", "current-to-best/1/bin")


class DifferentialEvolution(Optimizer):
    """Differences of members of a population of NP vectors, crossed over with a parent.

    strategy    one of ``STRATEGIES``
    population  NP
    F           differential weight, 0 < F <= 2
    CR          crossover rate, 0 < CR <= 1
    sigma       the first population is drawn from N(0, sigma^2 I)

    A trial replaces its parent as soon as it is told to be no worse: with a whole population per
    batch this is the generational algorithm, with smaller batches the asynchronous one.

    Failed evaluations: the parent survives. A member of the first population that failed stays a
    partner for differences and is replaced by the first trial of its line that succeeds.
    """

    name = "de"

    def __init__(
        self,
        dimension: int,
        rng: np.random.Generator,
        *,
        budget: int | None = None,
        strategy: str = "rand/1/bin",
        population: int = 20,
        F: float = 0.5,
        CR: float = 0.9,
        sigma: float = 1.0,
    ) -> None:
        super().__init__(dimension, rng, budget=budget)
        self.strategy = one_of("strategy", strategy, STRATEGIES)
        self.NP = positive("population", population, low=4)  # a parent and three others
        self.F = between("F", F, 0.0, 2.0)
        self.CR = between("CR", CR, 0.0, 1.0)
        self.X = step("sigma", sigma) * rng.standard_normal((self.NP, self.dimension))
        self.f = np.full(self.NP, np.inf)
        self.parent: dict[int, int] = {}  # the line that a pending candidate belongs to
        self.turn = 0

    @property
    def batch(self) -> int:
        return self.NP

    def _ask(self, ids: range) -> Array:
        vectors = np.empty((len(ids), self.dimension))
        for row, id in enumerate(ids):
            i = self.turn % self.NP
            vectors[row] = self.X[i] if self.turn < self.NP else self._trial(i)
            self.parent[id] = i
            self.turn += 1
        return vectors

    def _trial(self, i: int) -> Array:
        others = self.rng.permutation(self.NP - 1)[:3]
        r1, r2, r3 = others + (others >= i)  # distinct, and none is i
        X, F, best = self.X, self.F, int(np.argmin(self.f))
        if self.strategy == "rand/1/bin":
            v = X[r1] + F * (X[r2] - X[r3])  # Eq. 2
        elif self.strategy == "best/1/bin":
            v = X[best] + F * (X[r1] - X[r2])
        else:
            v = X[i] + F * (X[best] - X[i]) + F * (X[r1] - X[r2])
        crossed = self.rng.random(self.dimension) < self.CR  # Eq. 4
        crossed[self.rng.integers(self.dimension)] = True  # at least one coordinate is new
        return np.where(crossed, v, X[i])

    def _tell(self, candidates: list[Candidate], evaluations: list[Evaluation]) -> None:
        line = {candidate.id: self.parent.pop(candidate.id) for candidate in candidates}
        for candidate, loss in succeeded(candidates, evaluations):
            i = line[candidate.id]
            if loss <= self.f[i]:
                self.X[i], self.f[i] = candidate.vector, loss
