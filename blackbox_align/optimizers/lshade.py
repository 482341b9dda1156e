"""SHADE and L-SHADE: Differential Evolution that learns F and CR from its successes.

>>> import numpy as np
>>> from blackbox_align.optimizers import Evaluation, create
>>> optimizer = create("lshade", dimension=4, rng=np.random.default_rng(0), budget=2000)
>>> while not optimizer.stop():
...     candidates = optimizer.ask()
...     losses = [float(((c.vector - 1) ** 2).sum()) for c in candidates]
...     optimizer.tell(candidates, [Evaluation(loss) for loss in losses])
>>> bool(abs(optimizer.recommend().vector - 1).max() < 0.1)
True

Tanabe & Fukunaga 2013, "Success-History Based Parameter Adaptation for Differential Evolution";
Tanabe & Fukunaga 2014, "Improving the Search Performance of SHADE Using Linear Population Size
Reduction". Equation numbers are those of the latter.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from blackbox_align.errors import OptimizerError
from blackbox_align.optimizers.base import (
    Array,
    Candidate,
    Evaluation,
    Optimizer,
    succeeded,
)
from blackbox_align.optimizers.options import flag, positive, step

H = 6  # entries of the success history
ARCHIVE_RATE = 2.6  # size of the archive of replaced parents, in populations
P_BEST = 0.11  # share of the population that a trial may be drawn towards
N_MIN = 4  # what linear reduction ends at


class SHADE(Optimizer):
    """current-to-pbest/1/bin with an archive of replaced parents and adapted F and CR.

    population  N^init, the size of the first population
    reduction   shrink it linearly to 4 over the budget (L-SHADE); needs a budget
    sigma       the first population is drawn from N(0, sigma^2 I)

    A trial replaces its parent as soon as it is told; a generation ends, and the history learns,
    when as many trials were told as the population has members.

    Failed evaluations: the parent survives, and the F and CR of the trial count as no success.
    """

    name = "shade"

    def __init__(
        self,
        dimension: int,
        rng: np.random.Generator,
        *,
        budget: int | None = None,
        population: int = 100,
        reduction: bool = False,
        sigma: float = 1.0,
    ) -> None:
        super().__init__(dimension, rng, budget=budget)
        self.N_init = positive("population", population, low=N_MIN)
        self.reduction = flag("reduction", reduction)
        if self.reduction and budget is None:
            raise OptimizerError(
                "L-SHADE shrinks its population over the budget: give a budget, or take 'shade'."
            )
        self.capabilities = replace(self.capabilities, uses_budget=self.reduction)
        self.X = step("sigma", sigma) * rng.standard_normal((self.N_init, self.dimension))
        self.f = np.full(self.N_init, np.inf)
        self.A = np.empty((0, self.dimension))
        self.M_F = np.full(H, 0.5)
        self.M_CR = np.full(H, 0.5)  # NaN is the terminal value of the paper
        self.k = 0
        self.S: list[list[float]] = []  # successes of this generation: F, CR, improvement
        self.turn = 0
        self.generation_told = 0
        self.trials: dict[int, list[float]] = {}  # id: parent, F, CR

    @property
    def batch(self) -> int:
        return len(self.X)

    def _ask(self, ids: range) -> Array:
        vectors = np.empty((len(ids), self.dimension))
        for row, id in enumerate(ids):
            i = self.turn % len(self.X)
            if self.turn < self.N_init:
                vectors[row] = self.X[i]
                self.trials[id] = [i, np.nan, np.nan]
            else:
                F, CR = self._draw_parameters()
                vectors[row] = self._trial(i, F, CR)
                self.trials[id] = [i, F, CR]
            self.turn += 1
        return vectors

    def _draw_parameters(self) -> tuple[float, float]:
        r = self.rng.integers(H)
        if np.isnan(self.M_CR[r]):  # Eq. 1
            CR = 0.0
        else:
            CR = float(np.clip(self.rng.normal(self.M_CR[r], 0.1), 0.0, 1.0))
        F = 0.0
        while F <= 0.0:  # Eq. 2
            F = min(self.M_F[r] + 0.1 * self.rng.standard_cauchy(), 1.0)
        return float(F), CR

    def _trial(self, i: int, F: float, CR: float) -> Array:
        X, N = self.X, len(self.X)
        p = max(2, round(P_BEST * N))
        pbest = self.rng.choice(np.argsort(self.f, kind="stable")[:p])
        r1 = (i + 1 + self.rng.integers(N - 1)) % N
        others = [j for j in range(N + len(self.A)) if j not in (i, r1)]
        r2 = others[self.rng.integers(len(others))]
        x_r2 = X[r2] if r2 < N else self.A[r2 - N]
        v = X[i] + F * (X[pbest] - X[i]) + F * (X[r1] - x_r2)  # Eq. 3
        crossed = self.rng.random(self.dimension) < CR  # Eq. 4
        crossed[self.rng.integers(self.dimension)] = True
        return np.where(crossed, v, X[i])

    def _tell(self, candidates: list[Candidate], evaluations: list[Evaluation]) -> None:
        trials = {candidate.id: self.trials.pop(candidate.id) for candidate in candidates}
        for candidate, loss in succeeded(candidates, evaluations):
            parent, F, CR = trials[candidate.id]
            # A parent that the reduction has removed: the trial meets the worst member instead.
            i = int(parent) if parent >= 0 else int(np.argmax(self.f))
            if loss <= self.f[i]:
                if loss < self.f[i] and np.isfinite(self.f[i]) and not np.isnan(F):
                    self.S.append([F, CR, float(self.f[i] - loss)])
                    self._archive(self.X[i])
                self.X[i], self.f[i] = candidate.vector, loss
        self.generation_told += len(candidates)
        if self.generation_told >= len(self.X):
            self.generation_told = 0
            self._learn()
            if self.reduction:
                self._reduce()

    def _archive(self, x: Array) -> None:
        if len(self.A) < self._archive_size():
            self.A = np.vstack([self.A, x])
        else:
            self.A[self.rng.integers(len(self.A))] = x

    def _archive_size(self) -> int:
        return round(ARCHIVE_RATE * len(self.X))

    def _learn(self) -> None:
        if not self.S:
            return
        S_F, S_CR, improvement = np.array(self.S).T
        w = improvement / improvement.sum()  # Eq. 9
        if np.isnan(self.M_CR[self.k]) or S_CR.max() == 0.0:
            self.M_CR[self.k] = np.nan
        else:
            self.M_CR[self.k] = w @ S_CR**2 / (w @ S_CR)  # Eq. 7
        self.M_F[self.k] = w @ S_F**2 / (w @ S_F)
        self.k = (self.k + 1) % H
        self.S = []

    def _reduce(self) -> None:
        assert self.budget is not None
        done = min(1.0, self.told / self.budget)
        N = round(self.N_init + done * (N_MIN - self.N_init))  # Eq. 10
        if self.turn < self.N_init or len(self.X) <= N:
            return
        kept = np.sort(np.argsort(self.f, kind="stable")[: max(N, N_MIN)])
        place = {int(old): new for new, old in enumerate(kept)}
        self.X, self.f = self.X[kept], self.f[kept]
        for trial in self.trials.values():
            trial[0] = place.get(int(trial[0]), -1)
        while len(self.A) > self._archive_size():
            self.A = np.delete(self.A, self.rng.integers(len(self.A)), axis=0)
