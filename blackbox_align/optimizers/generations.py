"""Libraries that learn a whole generation at a time, behind a contract that tells in any order."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from blackbox_align.errors import OptimizerError
from blackbox_align.optimizers.base import Candidate, Evaluation, ReplayedOptimizer, succeeded


class GenerationalOptimizer(ReplayedOptimizer):
    """Collects successful evaluations until they make a generation, then updates the library.

    Candidates are sampled from the distribution of the moment, any number of them; one that is
    told a generation late counts in the generation in which it arrives.
    """

    _told_losses: list[tuple[np.ndarray, float]]
    _failed_in_a_row: int

    @property
    @abstractmethod
    def generation_size(self) -> int:
        """lambda: how many successful evaluations make a generation."""

    @abstractmethod
    def _sample(self, n: int) -> Sequence[np.ndarray]:
        """``n`` vectors from the present distribution."""

    @abstractmethod
    def _update(self, generation: list[tuple[np.ndarray, float]]) -> None:
        """Learn from ``generation_size`` pairs of vector and loss."""

    @abstractmethod
    def _shrink(self) -> None:
        """Halve the step: a whole generation has failed."""

    def _start(self) -> None:
        self._told_losses = []
        self._failed_in_a_row = 0

    @property
    def batch(self) -> int:
        return self.generation_size - len(self._told_losses)

    def _ask(self, ids: range) -> Sequence[np.ndarray]:
        return self._sample(len(ids))

    def _tell(self, candidates: list[Candidate], evaluations: list[Evaluation]) -> None:
        good = succeeded(candidates, evaluations)
        self._failed_in_a_row = 0 if good else self._failed_in_a_row + len(candidates)
        if self._failed_in_a_row >= self.generation_size:
            self._failed_in_a_row = 0
            self._shrink()
        self._told_losses += [(candidate.vector, loss) for candidate, loss in good]
        while len(self._told_losses) >= self.generation_size:
            size = self.generation_size
            generation, self._told_losses = self._told_losses[:size], self._told_losses[size:]
            self._update(generation)


FULL_COVARIANCE_LIMIT = 3000


def check_full_covariance(name: str, dimension: int) -> None:
    """Refuse a covariance matrix that would take minutes per generation and gigabytes."""
    if dimension > FULL_COVARIANCE_LIMIT:
        raise OptimizerError(
            f"{name} keeps a full covariance matrix, which is too slow beyond "
            f"{FULL_COVARIANCE_LIMIT} dimensions (asked: {dimension}); "
            "take 'cma-diagonal', or search in a subspace."
        )
