"""Libraries that learn a whole generation at a time, behind a contract that tells in any order."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from blackbox_align.errors import OptimizerError
from blackbox_align.optimizers.base import Array, Candidate, Evaluation, Optimizer, succeeded

Told = tuple[Candidate, float]


class GenerationalOptimizer(Optimizer):
    """Collects successful evaluations until they make a generation, then updates the library.

    Candidates are sampled from the distribution of the moment, any number of them; one that is
    told a generation late counts in the generation in which it arrives, unless its run has ended.
    """

    def __init__(
        self, dimension: int, rng: np.random.Generator, *, budget: int | None = None
    ) -> None:
        super().__init__(dimension, rng, budget=budget)
        self._collected: list[Told] = []
        self._failed_in_a_row = 0
        self._run_began = 0  # the first candidate of the present run

    @property
    @abstractmethod
    def generation_size(self) -> int:
        """lambda: how many successful evaluations make a generation."""

    @abstractmethod
    def _ask(self, ids: range) -> Sequence[Array]:
        """Vectors from the present distribution, one for each of ``ids``."""

    @abstractmethod
    def _update(self, generation: list[Told]) -> None:
        """Learn from ``generation_size`` pairs of candidate and loss."""

    @abstractmethod
    def _shrink(self) -> None:
        """Halve the step: a whole generation has failed."""

    @property
    def batch(self) -> int:
        return self.generation_size - len(self._collected)

    def _tell(self, candidates: list[Candidate], evaluations: list[Evaluation]) -> None:
        good = succeeded(candidates, evaluations)
        self._failed_in_a_row = 0 if good else self._failed_in_a_row + len(candidates)
        if self._failed_in_a_row >= self.generation_size:
            self._failed_in_a_row = 0
            self._shrink()
        self._collected += [(c, loss) for c, loss in good if c.id >= self._run_began]
        while len(self._collected) >= self.generation_size:
            size = self.generation_size
            generation, self._collected = self._collected[:size], self._collected[size:]
            self._update(generation)

    def _forget(self) -> None:
        """A new run begins: what is told of earlier candidates says nothing of its distribution."""
        self._run_began, self._collected = self.asked, []


FULL_COVARIANCE_LIMIT = 3000


def check_full_covariance(name: str, dimension: int) -> None:
    """Refuse a covariance matrix that would take minutes per generation and gigabytes."""
    if dimension > FULL_COVARIANCE_LIMIT:
        raise OptimizerError(
            f"{name} keeps a full covariance matrix, which is too slow beyond "
            f"{FULL_COVARIANCE_LIMIT} dimensions (asked: {dimension}); "
            "take 'cma-diagonal', or search in a subspace."
        )
