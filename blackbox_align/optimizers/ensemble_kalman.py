"""Ensemble Kalman inversion: least squares by the correlations within a cloud of vectors.

Iglesias, Law & Stuart 2013, "Ensemble Kalman methods for inverse problems"; the regularising
parameter as in Iglesias 2016, "A regularizing iterative ensemble Kalman method".
"""

from __future__ import annotations

import numpy as np

from blackbox_align.errors import OptimizerError
from blackbox_align.optimizers.base import (
    Candidate,
    Capabilities,
    Evaluation,
    Optimizer,
    between,
    positive,
)


class EnsembleKalmanInversion(Optimizer):
    """An ensemble of J vectors is moved against the residuals that correlate with them.

    members  J
    sigma    the first ensemble is drawn from N(0, sigma^2 I)

    An update happens whenever J evaluations have succeeded, in whatever order they came.

    Failed evaluations: they do not enter an update; a member drawn at random from the span of the
    ensemble takes the place of each.
    """

    name = "eki"
    _state = ("U", "queue", "told_U", "told_R")
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
        self.J = positive("members", members)
        self.sigma = between("sigma", sigma, 0.0)
        self.U = self.sigma * rng.standard_normal((self.J, self.dimension))
        self.queue = list(range(self.J))  # members not sent yet
        self.told_U: list[np.ndarray] = []
        self.told_R: list[np.ndarray] = []

    @property
    def batch(self) -> int:
        return len(self.queue) or max(1, self.J - len(self.told_R))

    def _ask(self, ids: range) -> np.ndarray:
        return np.array([self.U[self.queue.pop(0)] if self.queue else self._extra() for _ in ids])

    def _extra(self) -> np.ndarray:
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

    def _update(self, U: np.ndarray, R: np.ndarray) -> None:
        J = len(U)
        A, B = U - U.mean(axis=0), R - R.mean(axis=0)
        C_rr = B.T @ B / (J - 1)
        # The smallest alpha 2^i with alpha |(C_rr + alpha I)^-1 rbar| >= rho |rbar| (Iglesias 2016).
        rho, rbar = 0.5, R.mean(axis=0)
        alpha = 1e-6 * max(float(np.trace(C_rr)), 1e-300)
        identity = np.eye(len(C_rr))
        while alpha * np.linalg.norm(
            np.linalg.solve(C_rr + alpha * identity, rbar)
        ) < rho * np.linalg.norm(rbar):
            alpha *= 2
        weights = np.linalg.solve(C_rr + alpha * identity, R.T)  # (m, J)
        self.U = U - (B @ weights).T @ A / (J - 1)
        self.queue = list(range(J))
