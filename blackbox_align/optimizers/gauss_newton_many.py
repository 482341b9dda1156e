"""Gauss-Newton for many targets at once, on one archive.

What a vector gives does not depend on the target, so one model of the outputs serves all of them:
only the steps differ. Each evaluation is proposed for one target and told to all.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import cycle
from typing import Any, NamedTuple

import numpy as np

from blackbox_align.optimizers.gauss_newton import GaussNewton
from blackbox_align.optimizers.gaussian_process import GaussianProcess
from blackbox_align.optimizers.options import between


class Plan(NamedTuple):
    """A step for a target: from row ``centre`` by the combination ``beta`` of the archive's rows,
    and by how much the model says the error will drop."""

    target: int
    centre: int
    beta: np.ndarray
    gain: float


class GaussNewtonMany(GaussNewton):
    """Gauss-Newton steps for whichever targets gain most from one.

    targets  (K, m) what the outputs should be; NaN where a target does not care
    enough   a target is reached when the mean |output - target| is at most this

    The residuals it is told are the plain outputs, (m,). For every target that is not reached, the
    model is solved in that target's own trust region; a batch holds the solutions that promise the
    largest drop in error. A target's first step is the model's solution, later ones look beside it.
    """

    name = "gauss-newton-many"
    capabilities = GaussNewton.capabilities

    def __init__(
        self,
        dimension: int,
        rng: np.random.Generator,
        *,
        targets: np.ndarray,
        enough: float,
        budget: int | None = None,
        window: int = 1000,
        **options: Any,
    ) -> None:
        super().__init__(dimension, rng, budget=budget, window=window, **options)
        self.targets = np.array(targets, dtype=np.float64)
        self.enough = between("enough", enough, -1.0, 1e9)
        self.deltas = np.full(len(self.targets), self.delta)
        self.errors = np.full(len(self.targets), np.inf)
        self.steps = np.zeros(len(self.targets), dtype=np.int64)  # tried for each target so far
        self.served: list[int] = []  # the targets of the last batch

    def _ask(self, ids: range) -> np.ndarray:
        if len(self.archive) < 2:
            return super()._ask(ids)
        noise = self.rng.standard_normal((len(ids), self.dimension))
        misses = self._misses()
        self._set_radii(misses.min(axis=1))
        fitted = self._fit(tune=True)
        self.scale, self.noise = fitted.scale, fitted.noise
        open_targets = np.flatnonzero(self.errors > self.enough)
        if not len(open_targets):
            open_targets = np.arange(len(self.targets))
        plans = [
            self._plan(fitted.model, k, int(misses[k].argmin())) for k in open_targets.tolist()
        ]
        plans.sort(key=lambda plan: -plan.gain)
        vectors = np.empty_like(noise)
        for row, plan in zip(range(len(ids)), cycle(plans), strict=False):
            origin = self.archive.Z[plan.centre]
            step = plan.beta @ self.archive.Z - plan.beta.sum() * origin
            share = self.explore * np.linalg.norm(step) / np.sqrt(self.dimension)
            vectors[row] = origin + step + (share * noise[row] if self.steps[plan.target] else 0.0)
            self.steps[plan.target] += 1
            self.served.append(plan.target)
        return vectors

    def _plan(self, outputs: GaussianProcess, target: int, centre: int) -> Plan:
        """The model's solution for one target within its trust radius, seen from its best row."""
        cares = ~np.isnan(self.targets[target])
        seen = outputs.seen_from(self.archive.gram_from(centre))
        model = replace(
            seen,
            mean=seen.mean[cares] - self.targets[target][cares],
            weights=seen.weights[:, cares],
        )
        beta = self._solve(model, float(self.deltas[target]))
        promised = float(np.abs(model.predict(beta)[0]).mean())
        return Plan(target, centre, beta, float(self.errors[target]) - promised)

    def _misses(self) -> np.ndarray:
        """(K, n): the error of every target at every vector of the archive."""
        residuals = self.archive.R[None] - self.targets[:, None]
        return np.nanmean(np.abs(residuals), axis=2)

    def _set_radii(self, errors: np.ndarray) -> None:
        """Grow the radius of a target whose step paid, shrink that of one whose did not."""
        for target in set(self.served):
            if errors[target] < 0.7 * self.errors[target]:
                self.deltas[target] *= 1.6
            elif errors[target] >= 0.999 * self.errors[target]:
                self.deltas[target] *= 0.6
        self.deltas = np.maximum(self.deltas, self._least_radius())
        self.served, self.errors = [], np.minimum(errors, self.errors)
