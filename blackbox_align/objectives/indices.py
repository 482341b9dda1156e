"""The index objective: how far the model's survey indices are from a country's published figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import SpecificationError
from ..surveys import Survey
from .constants import Constants, raw_indices


@dataclass(frozen=True)
class IndexObjective:
    """Scores item means against the figures of one country or of many at once.

    Parameters
    ----------
    targets : (countries, indices) float64 index points; NaN where no figure was published, which
        leaves that index out of that country's loss
    constants : one shift per index, the same for all countries
    """

    survey: Survey
    targets: np.ndarray
    constants: Constants

    def __post_init__(self) -> None:
        names = [index.name for index in self.survey.indices]
        if not names:
            raise SpecificationError(
                f"The survey {self.survey.name!r} defines no indices, so it cannot be compared "
                "with index figures; add 'indices:' to it (indices: vsm2013 takes over that key)."
            )
        if np.isnan(self.targets).all(axis=1).any():
            raise SpecificationError(f"A country without a figure on any of {', '.join(names)}.")

    def indices(self, means: np.ndarray) -> np.ndarray:
        """(candidates, indices) index points of (candidates, items) item means, constants included."""
        return raw_indices(self.survey, means) + self.constants.array()

    def residuals(self, means: np.ndarray) -> np.ndarray:
        """(countries, candidates, indices): index minus target, in points; NaN without a target."""
        return self.indices(means)[None] - self.targets[:, None]

    def losses(self, means: np.ndarray) -> np.ndarray:
        """(countries, candidates): the mean absolute error over the indices that have a target."""
        return mean_absolute_error(self.residuals(means))


def mean_absolute_error(residuals: np.ndarray) -> np.ndarray:
    """The mean of |r| over the last axis, NaN residuals left out, NaN where all of them are."""
    known = ~np.isnan(residuals)
    total = np.where(known, np.abs(residuals), 0.0).sum(axis=-1)
    count = known.sum(axis=-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
