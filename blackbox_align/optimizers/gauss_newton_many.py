"""Gauss-Newton for many targets at once, on one archive.

What a vector gives does not depend on the target, so one model of the outputs serves all of them:
only the steps differ. Each evaluation is proposed for one target and told to all.

>>> import numpy as np
>>> from blackbox_align.optimizers import Evaluation, create
>>> J = np.random.default_rng(1).standard_normal((3, 20))
>>> targets = np.array([[30.0, 0.0, 0.0], [0.0, 30.0, np.nan]])
>>> optimizer = create("gauss-newton", 20, np.random.default_rng(0), targets=targets, enough=0.1)
>>> best = np.full(2, np.inf)
>>> while best.max() > 0.1:
...     candidates = optimizer.ask()
...     outputs = np.array([J @ c.vector for c in candidates])
...     losses = np.nanmean(abs(outputs - targets[:, None]), axis=2)
...     optimizer.tell(candidates, [Evaluation(*told) for told in zip(losses.mean(axis=0), outputs)])
...     best = np.minimum(best, losses.min(axis=1))
>>> optimizer.told < 200
True
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from blackbox_align.errors import OptimizerError
from blackbox_align.optimizers.archive import Told
from blackbox_align.optimizers.base import Array, Candidate, Evaluation
from blackbox_align.optimizers.gauss_newton import STEPS, GaussNewton
from blackbox_align.optimizers.gaussian_process import GaussianProcess
from blackbox_align.optimizers.levenberg_marquardt import solve
from blackbox_align.optimizers.options import between
from blackbox_align.optimizers.trust_region import Promise, factor

NEAR = 300  # evaluations that the model of a target is fitted to
PATIENT = 90  # steps for a target that bring it no nearer, until others come first
BESIDE = 12  # other targets that a batch may reach on the way


class Plan(NamedTuple):
    """A step (d,), and what share of the error the model says that it leaves."""

    step: Array
    left: float


class GaussNewtonMany(GaussNewton):
    """Gauss-Newton steps for one target after another, the nearest first.

    targets  (K, m) what the outputs should be, NaN where a target does not care; and how near is enough:
             a target is reached when the mean |output - target| is at most this
    window   how many evaluations the archive holds

    The residuals it is told are the plain outputs, (m,), and the loss is one number for all targets:
    it decides what is recommended, while the error of each target is taken from the outputs. A batch
    serves one target, the nearest of those that are not reached and that steps still bring nearer (where
    ``enough`` is 0, each in turn), as gauss-newton does: with a model of the evaluations nearest to the
    target's best one, as many as that holds, in a trust region of its own. Up to half of the batch are
    steps that this model says reach other targets. The other options are those of gauss-newton.

    Failed evaluations: they do not enter the archive, and are steps that did not improve.
    """

    def __init__(
        self,
        dimension: int,
        rng: np.random.Generator,
        *,
        targets: tuple[ArrayLike, float],
        budget: int | None = None,
        batch: int = 6,
        window: int = 4000,
        spread: float | None = None,
        radius: float | None = None,
        explore: float = 0.5,
        kernel: str = "rational",
    ) -> None:
        super().__init__(
            dimension,
            rng,
            budget=budget,
            batch=batch,
            window=window,
            spread=spread,
            radius=radius,
            explore=explore,
            kernel=kernel,
        )
        self.near = NEAR
        wanted, enough = targets
        self.targets = np.array(wanted, dtype=np.float64)
        cares = np.isfinite(self.targets)
        if self.targets.ndim != 2 or not cares.size or not cares.any(axis=1).all():
            raise OptimizerError(
                "targets must be (targets, outputs), with a finite number in every row; "
                f"not {self.targets.shape}."
            )
        self.targets[~cares] = np.nan
        self.enough = between("enough", enough, -1.0, 1e9)
        self.shares = np.ones(len(self.targets))  # of the first trust radius, for each target
        self.errors = np.full(len(self.targets), np.inf)
        self.given = np.zeros(len(self.targets), dtype=np.int64)  # steps for each
        self.vain = np.zeros(len(self.targets), dtype=np.int64)  # those since it last came nearer
        self.promises: dict[int, tuple[int, Promise]] = {}  # of outstanding steps, and whose

    def _step(self, ids: range, noise: Array) -> Array:
        misses = self._misses()
        self.errors = misses.min(axis=1)
        wanted = self._order()
        target, others = wanted[0], wanted[1 : 1 + BESIDE]
        row = int(misses[target].argmin())
        model, rows = self._model_near(row)
        centre, first = self.archive.Z[row], self._plan(model, rows, target, row)
        least = min(first.left, 1.0) * self._least_radius()
        on_the_way = self._within_reach(model, rows, others, misses)
        vectors = np.empty_like(noise)
        for at, id in enumerate(ids):
            turn = id % self._batch
            if turn >= self._batch // 2 and on_the_way:
                other, left, vectors[at] = on_the_way.pop(0)
                self.promises[id] = other, Promise(id, float(self.errors[other]), left)
                continue
            t = STEPS[turn % len(STEPS)]
            step = first.step if t == 1.0 else self._plan(model, rows, target, row, t).step
            if not turn:
                self.promises[id] = target, Promise(id, float(self.errors[target]), first.left)
            length = max(self.explore * max(float(np.linalg.norm(step)), least), self._resolution())
            share = length / np.sqrt(self.dimension) if turn else 0.0
            vectors[at] = centre + step + share * noise[at]
        self.given[target] += len(ids)
        self.vain[target] += len(ids)
        return vectors

    def _within_reach(
        self, model: GaussianProcess, rows: NDArray[np.int64], targets: list[int], misses: Array
    ) -> list[tuple[int, float, Array]]:
        """Those of ``targets`` that, as the model says, one step from the best of its ``rows`` brings near
        enough, with the share of their errors that it leaves, and the vector (d,)."""
        found = []
        for target in targets:
            row = int(rows[misses[target, rows].argmin()])
            plan = self._plan(model, rows, target, row)
            if plan.left * misses[target, row] <= self.enough:
                found.append((target, plan.left, self.archive.Z[row] + plan.step))
        return found

    def _order(self) -> list[int]:
        """The targets that are not reached, the nearest first of those that steps still bring nearer.

        One that is reached lies on the way to others, whose steps begin where the model knows much. Where
        nothing is near enough, as opinions never are, no target waits for another: they take turns.
        """
        wanted = np.flatnonzero(self.errors > self.enough)
        if not len(wanted):
            wanted = np.arange(len(self.targets))
        turns = self.given if self.enough <= 0 else self.vain // PATIENT
        order = np.lexsort((self.errors[wanted], turns[wanted]))
        return [int(k) for k in wanted[order]]

    def _model_near(self, row: int) -> tuple[GaussianProcess, NDArray[np.int64]]:
        """A model of the outputs around a row of the archive, and the rows that it is fitted to."""
        rows = np.arange(len(self.archive))
        if len(rows) > self.near:
            nearest = np.argpartition(self.archive.squared_distances(row), self.near)
            rows = np.sort(nearest[: self.near])
        gram = self.archive.gram_from(row, rows)
        model, self.scale, self.noise = self._likeliest(gram, self.archive.R[rows], tune=True)
        return model, rows

    def _plan(
        self,
        outputs: GaussianProcess,
        rows: NDArray[np.int64],
        target: int,
        row: int,
        length: float = 1.0,
    ) -> Plan:
        """The model's solution for a target, ``length`` trust radii from a row of the archive at most."""
        cares = ~np.isnan(self.targets[target])
        model = replace(
            outputs.seen_from(self.archive.gram_from(row, rows)),
            mean=outputs.mean[cares] - self.targets[target][cares],
            weights=outputs.weights[:, cares],
        )
        beta = solve(model, length * self.radius * float(self.shares[target]))
        step = beta @ self.archive.Z[rows] - beta.sum() * self.archive.Z[row]
        return Plan(step, Promise.of(0, 0.0, model, beta).left)

    def _misses(self) -> Array:
        """(K, n): the error of every target at every vector of the archive."""
        residuals = self.archive.R[None] - self.targets[:, None]
        return np.nanmean(np.abs(residuals), axis=2)

    def _tell(self, candidates: list[Candidate], evaluations: list[Evaluation]) -> None:
        super()._tell(candidates, evaluations)
        for candidate, evaluation in zip(candidates, evaluations, strict=True):
            if candidate.id in self.promises:
                self._set_share(*self.promises.pop(candidate.id), evaluation.residuals)
            if evaluation.residuals is not None:
                missed = np.nanmean(np.abs(evaluation.residuals - self.targets), axis=1)
                self.vain[missed < 0.99 * self.errors] = 0
                self.errors = np.minimum(self.errors, missed)

    def _set_share(self, target: int, promise: Promise, outputs: Array | None) -> None:
        """Widen or narrow the trust region of a target by what a step for it kept of its promise."""
        error = None
        if outputs is not None:
            error = float(np.nanmean(np.abs(outputs - self.targets[target])))
        widest = max(self.radius, float(np.sqrt(self.dimension)))
        share = min(self.shares[target] * factor(promise, error), widest / self.radius)
        self.shares[target] = max(share, self._least_radius() / self.radius)

    def _stalled(self) -> bool:
        return False  # what is told serves all targets, far ones and near ones

    def _observe(self, candidates: list[Candidate], evaluations: list[Evaluation]) -> None:
        # What is far from one target may be near another: all of it is kept.
        self._tell(candidates, evaluations)
        if len(self.archive) >= 2:
            self.draws = 0

    def _check_residuals(self, told: list[Told]) -> None:
        super()._check_residuals(told)
        if len(told[0][2]) != self.targets.shape[1]:
            raise OptimizerError(
                f"{self.name} was told {len(told[0][2])} outputs, where each target has "
                f"{self.targets.shape[1]}."
            )
