"""The seam between what a model answers and what is to be made small."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ..surveys import Survey


class Objective(Protocol):
    """How far answers to a survey are from those of one country's people, or of many countries'.

    Answers become *outputs*, m numbers that do not depend on a country; every country has a target
    for each of them. ``targets`` is (countries, m), NaN where a country has none. Outputs minus
    targets are the residuals that a least-squares search sees. ``in_points`` is what a loss of 1
    counts for in a weighted sum, in index points.
    """

    @property
    def survey(self) -> Survey: ...

    @property
    def targets(self) -> np.ndarray: ...

    @property
    def in_points(self) -> float: ...

    def outputs(self, answers: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
        """(candidates, m) from answers (candidates, items, width); NaN where the evaluation failed.

        ``rng`` is for a readout that draws; without it there is the expectation.
        """
        ...

    def losses(self, outputs: np.ndarray) -> np.ndarray:
        """(countries, candidates), NaN where the evaluation failed."""
        ...

    def cotangent(self, answers: np.ndarray, country: int) -> np.ndarray:
        """(candidates, items, width): derivatives by the answers of what a search by gradients makes
        small for one country, which is the loss, or a smooth stand-in for it; NaN where the evaluation
        failed. Only for the expectation: a readout that is not smooth has none.
        """
        ...


def known_mean(values: np.ndarray) -> np.ndarray:
    """The mean over the last axis, NaN left out; NaN where there is nothing else."""
    known = ~np.isnan(values)
    total = np.where(known, values, 0.0).sum(axis=-1)
    count = known.sum(axis=-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
