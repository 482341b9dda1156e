"""Ensemble Kalman inversion: least squares by the correlations within a cloud of vectors.

>>> import numpy as np
>>> from blackbox_align.optimizers import Evaluation, create
>>> optimizer = create("eki", dimension=20, rng=np.random.default_rng(0))
>>> J = np.random.default_rng(1).standard_normal((3, 20))
>>> while optimizer.told < 800:
...     candidates = optimizer.ask()
...     residuals = [J @ c.vector - 10.0 for c in candidates]
...     optimizer.tell(candidates, [Evaluation(abs(r).mean(), r) for r in residuals])
>>> bool(abs(J @ optimizer.recommend().vector - 10.0).max() < 0.1)
True

Iglesias, Law & Stuart 2013, "Ensemble Kalman methods for inverse problems"; the regularising
parameter as in Iglesias 2016, "A regularizing iterative ensemble Kalman method". With the unit
matrix for the covariance of the noise, residuals r_j of the members u_j and their mean rbar:

(1)  C_ur = sum_j (u_j - ubar)(r_j - rbar)^T / (J - 1), and C_rr alike
(2)  alpha = 2^i alpha_0 for the smallest i with alpha |(C_rr + alpha I)^-1 rbar| >= rho |rbar|
(3)  u_j <- u_j - C_ur (C_rr + alpha I)^-1 r_j
"""

from __future__ import annotations

import numpy as np

from blackbox_align.errors import OptimizerError
from blackbox_align.optimizers.base import Array, Candidate, Capabilities, Evaluation, Optimizer
from blackbox_align.optimizers.options import positive, step


class EnsembleKalmanInversion(Optimizer):
    """An ensemble of J vectors is moved against the residuals that correlate with them.

    members  J
    sigma    the first ensemble is drawn from N(0, sigma^2 I)

    An update happens whenever J evaluations have succeeded, in whatever order they came. It sees
    residuals alone, so it goes to where their squares are small; what is recommended is the candidate
    of the lowest loss.

    Failed evaluations: they do not enter an update; a member drawn at random from the span of the
    ensemble takes the place of each.
    """

    name = "eki"
    capabilities = Capabilities(uses_residuals=True)

    def __init__(
        self,
        dimension: int,
        rng: np.random.Generator,
        *,
        budget: int | None = None,
        members: int = 40,
        sigma: float = 1.0,
    ) -> None:
        super().__init__(dimension, rng, budget=budget)
        self.J = positive("members", members, low=2)  # one correlates with nothing
        self.sigma = step("sigma", sigma)
        self.U = self.sigma * rng.standard_normal((self.J, self.dimension))
        self.queue = list(range(self.J))  # members not sent yet
        self.told_U: list[Array] = []
        self.told_R: list[Array] = []

    @property
    def batch(self) -> int:
        return len(self.queue) or max(1, self.J - len(self.told_R))

    def _ask(self, ids: range) -> Array:
        return np.array([self.U[self.queue.pop(0)] if self.queue else self._extra() for _ in ids])

    def _extra(self) -> Array:
        mean = self.U.mean(axis=0)
        weights = self.rng.standard_normal(self.J) / np.sqrt(self.J)
        return mean + weights @ (self.U - mean)

    def _tell(self, candidates: list[Candidate], evaluations: list[Evaluation]) -> None:
        for candidate, evaluation in zip(candidates, evaluations, strict=True):
            if evaluation.residuals is not None:
                if self.told_R and len(evaluation.residuals) != len(self.told_R[0]):
                    raise OptimizerError(
                        f"{self.name} was told {len(self.told_R[0])} residuals and now "
                        f"{len(evaluation.residuals)}: their number must not change."
                    )
                self.told_U.append(np.array(candidate.vector))
                self.told_R.append(np.array(evaluation.residuals))
        while len(self.told_R) >= self.J:
            self._update(np.array(self.told_U[: self.J]), np.array(self.told_R[: self.J]))
            del self.told_U[: self.J], self.told_R[: self.J]

    def _update(self, U: Array, R: Array) -> None:
        J = len(U)
        A, B = U - U.mean(axis=0), R - R.mean(axis=0)
        C_rr = B.T @ B / (J - 1)  # (1)
        rho, rbar = 0.5, R.mean(axis=0)
        alpha = 1e-6 * max(float(np.trace(C_rr)), 1e-300)
        identity = np.eye(len(C_rr))
        while alpha * np.linalg.norm(  # (2)
            np.linalg.solve(C_rr + alpha * identity, rbar)
        ) < rho * np.linalg.norm(rbar):
            alpha *= 2
        weights = np.linalg.solve(C_rr + alpha * identity, R.T)  # (m, J)
        self.U = U - (B @ weights).T @ A / (J - 1)  # (3)
        self.queue = list(range(J))
