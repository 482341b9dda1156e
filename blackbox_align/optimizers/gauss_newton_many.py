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
from itertools import cycle
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from blackbox_align.errors import OptimizerError
from blackbox_align.optimizers.archive import Told
from blackbox_align.optimizers.base import Array, Candidate, Evaluation
from blackbox_align.optimizers.gauss_newton import GaussNewton
from blackbox_align.optimizers.gaussian_process import GaussianProcess
from blackbox_align.optimizers.levenberg_marquardt import solve
from blackbox_align.optimizers.options import between


class Plan(NamedTuple):
    """A step for a target: from row ``centre`` by the combination ``beta`` of the archive's rows,
    and by how much the model says the error will drop."""

    target: int
    centre: int
    beta: Array
    gain: float


class GaussNewtonMany(GaussNewton):
    """Gauss-Newton steps for whichever targets gain most from one.

    targets  (K, m) what the outputs should be, NaN where a target does not care; and how near is enough:
             a target is reached when the mean |output - target| is at most this
    window   how many evaluations the archive holds

    The residuals it is told are the plain outputs, (m,), and the loss is one number for all targets:
    it decides what is recommended, while the error of each target is taken from the outputs. For
    every target that is not reached, the model is solved in that target's own trust region; a batch
    holds the solutions that promise the largest drop in error. A target's first step is the model's
    solution, later ones look beside it. The other options are those of gauss-newton.

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
        window: int = 1000,
        spread: float | None = None,
        radius: float | None = None,
        explore: float = 1.0,
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
        self.steps = np.zeros(len(self.targets), dtype=np.int64)  # tried for each target so far
        self.served: dict[int, int] = {}  # the target that an outstanding candidate is for
        self.tried: set[int] = set()  # targets with steps that were told since radii were last set

    def _step(self, ids: range, noise: Array) -> Array:
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
        for (row, id), plan in zip(enumerate(ids), cycle(plans), strict=False):
            origin = self.archive.Z[plan.centre]
            step = plan.beta @ self.archive.Z - plan.beta.sum() * origin
            share = self.explore * np.linalg.norm(step) / np.sqrt(self.dimension)
            vectors[row] = origin + step + (share * noise[row] if self.steps[plan.target] else 0.0)
            self.steps[plan.target] += 1
            self.served[id] = plan.target
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
        beta = solve(model, self.radius * float(self.shares[target]))
        promised = float(np.abs(model.predict(beta)[0]).mean())
        return Plan(target, centre, beta, float(self.errors[target]) - promised)

    def _misses(self) -> Array:
        """(K, n): the error of every target at every vector of the archive."""
        residuals = self.archive.R[None] - self.targets[:, None]
        return np.nanmean(np.abs(residuals), axis=2)

    def _set_radii(self, errors: Array) -> None:
        """Grow the radius of a target whose step paid, shrink that of one whose did not."""
        for target in self.tried:
            if errors[target] < 0.7 * self.errors[target]:
                self.shares[target] *= 1.6
            elif errors[target] >= 0.999 * self.errors[target]:
                self.shares[target] *= 0.6
        self.shares = np.maximum(self.shares, self._least_radius() / self.radius)
        self.tried, self.errors = set(), np.minimum(errors, self.errors)

    def _tell(self, candidates: list[Candidate], evaluations: list[Evaluation]) -> None:
        self.tried |= {self.served.pop(c.id) for c in candidates if c.id in self.served}
        super()._tell(candidates, evaluations)

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
