"""The evaluations a model is fitted to: vectors, residuals, and the inner products of the vectors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from blackbox_align.optimizers.base import Array, Candidate, Evaluation

Told = tuple[Candidate, float, Array]
"""A candidate with its loss and residuals."""


class Archive:
    """Up to ``capacity`` evaluations; when it is full, those farthest from a given one go.

    ``Z`` (n, d) vectors, ``R`` (n, m) residuals, ``losses`` and ``ids`` (n,) of the candidates,
    ``gram`` (n, n) = Z Z^T, which is kept because in many dimensions it is what costs.
    """

    def __init__(self, capacity: int, dimension: int) -> None:
        self.n = 0
        # Memory is taken page by page as rows are written.
        self._Z = np.empty((capacity, dimension))
        self._R = np.empty((capacity, 0))
        self._losses = np.empty(capacity)
        self._ids = np.empty(capacity, dtype=np.int64)
        self._gram = np.empty((capacity, capacity))

    def __len__(self) -> int:
        return self.n

    @property
    def Z(self) -> Array:
        return self._Z[: self.n]

    @property
    def R(self) -> Array:
        return self._R[: self.n]

    @property
    def losses(self) -> Array:
        return self._losses[: self.n]

    @property
    def ids(self) -> NDArray[np.int64]:
        return self._ids[: self.n]

    @property
    def gram(self) -> Array:
        return self._gram[: self.n, : self.n]

    def gram_from(self, row: int, rows: NDArray[np.int64] | None = None) -> Array:
        """Inner products of the vectors, or of some ``rows`` of them, as seen from vector ``row``."""
        g, along = self.gram, self.gram[row]
        if rows is not None:
            g, along = g[np.ix_(rows, rows)], along[rows]
        return np.asarray(g - along - along[:, None] + self.gram[row, row])

    def squared_distances(self, row: int) -> Array:
        q = np.diag(self.gram)
        return np.asarray(q - 2.0 * self.gram[row] + q[row])

    def add(self, told: Sequence[Told], keep: int) -> None:
        """Take candidates with loss and residuals, in the place of those farthest from row ``keep``
        where it is full."""
        if self.n == 0:
            self._R = np.empty((len(self._Z), len(told[0][2])))
        chunk = max(1, len(self._Z) // 2)
        for start in range(0, len(told), chunk):
            self._add(told[start : start + chunk], keep)

    def _add(self, told: Sequence[Told], keep: int) -> None:
        free = np.arange(self.n, min(self.n + len(told), len(self._Z)))
        crowded = len(told) - len(free)
        if crowded:
            farthest = np.argsort(-self.squared_distances(keep), kind="stable")[:crowded]
            free = np.concatenate([free, farthest])
            self.n = len(self._Z)
        else:
            self.n += len(told)
        vectors = np.array([candidate.vector for candidate, _, _ in told])
        self._Z[free], self._R[free] = vectors, [residuals for _, _, residuals in told]
        self._losses[free] = [loss for _, loss, _ in told]
        self._ids[free] = [candidate.id for candidate, _, _ in told]
        products = vectors @ self.Z.T
        self._gram[free, : self.n] = products
        self._gram[: self.n, free] = products.T

    def clear(self) -> None:
        """Forget all evaluations."""
        self.n = 0


def told_of(candidates: list[Candidate], evaluations: list[Evaluation]) -> list[Told]:
    """The candidates that have residuals, with their losses and these."""
    return [
        (candidate, evaluation.loss, evaluation.residuals)
        for candidate, evaluation in zip(candidates, evaluations, strict=True)
        if evaluation.loss is not None and evaluation.residuals is not None
    ]


def apart(told: list[Told], distance: float, most: int) -> list[Told]:
    """The first ``most`` of ``told`` that lie at least ``distance`` from those taken before."""
    taken = [told[0]]
    for item in told[1:]:
        others = np.array([candidate.vector for candidate, _, _ in taken])
        if len(taken) == max(most, 2):
            break
        if np.linalg.norm(others - item[0].vector, axis=1).min() >= distance:
            taken.append(item)
    return taken
