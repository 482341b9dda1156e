"""The evaluations a model is fitted to: vectors, residuals, and the inner products of the vectors."""

from __future__ import annotations

import numpy as np


class Archive:
    """Up to ``capacity`` evaluations; when it is full, those farthest from a given one go.

    ``Z`` (n, d) vectors, ``R`` (n, m) residuals, ``ids`` (n,) candidates, ``gram`` (n, n) = Z Z^T,
    which is kept because in many dimensions it is what costs.
    """

    def __init__(self, capacity: int, dimension: int) -> None:
        self.n = 0
        # Memory is taken page by page as rows are written.
        self._Z = np.empty((capacity, dimension))
        self._R = np.empty((capacity, 0))
        self._ids = np.empty(capacity, dtype=np.int64)
        self._gram = np.empty((capacity, capacity))

    def __len__(self) -> int:
        return self.n

    @property
    def Z(self) -> np.ndarray:
        return self._Z[: self.n]

    @property
    def R(self) -> np.ndarray:
        return self._R[: self.n]

    @property
    def ids(self) -> np.ndarray:
        return self._ids[: self.n]

    @property
    def gram(self) -> np.ndarray:
        return self._gram[: self.n, : self.n]

    def gram_from(self, row: int) -> np.ndarray:
        """Inner products of the vectors as seen from vector ``row``."""
        g = self.gram
        return np.asarray(g - g[row] - g[:, [row]] + g[row, row])

    def squared_distances(self, row: int) -> np.ndarray:
        q = np.diag(self.gram)
        return np.asarray(q - 2.0 * self.gram[row] + q[row])

    def add(self, ids: list[int], vectors: np.ndarray, residuals: np.ndarray, keep: int) -> None:
        """Take evaluations, in the place of those farthest from row ``keep`` where it is full."""
        if self.n == 0:
            self._R = np.empty((len(self._Z), residuals.shape[1]))
        chunk = max(1, len(self._Z) // 2)
        for start in range(0, len(ids), chunk):
            part = slice(start, start + chunk)
            self._add(ids[part], vectors[part], residuals[part], keep)

    def _add(self, ids: list[int], vectors: np.ndarray, residuals: np.ndarray, keep: int) -> None:
        free = np.arange(self.n, min(self.n + len(ids), len(self._Z)))
        crowded = len(ids) - len(free)
        if crowded:
            farthest = np.argsort(-self.squared_distances(keep), kind="stable")[:crowded]
            free = np.concatenate([free, farthest])
            self.n = len(self._Z)
        else:
            self.n += len(ids)
        self._Z[free], self._R[free], self._ids[free] = vectors, residuals, ids
        products = vectors @ self.Z.T
        self._gram[free, : self.n] = products
        self._gram[: self.n, free] = products.T

    def clear(self) -> None:
        """Forget all evaluations."""
        self.n = 0
