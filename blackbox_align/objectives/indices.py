"""The index objective: how far the model's survey indices are from a country's published figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import SpecificationError
from ..surveys import Survey, item_means
from .base import known_mean
from .constants import Constants, raw_indices

ROUNDED = 1.0  # index points: below it the stand-in for an absolute error is smooth


@dataclass(frozen=True)
class IndexObjective:
    """Scores item means against the figures of one country or of many at once.

    The outputs are the indices; see :class:`.base.Objective`.

    Parameters
    ----------
    targets : (countries, indices) float64 index points; NaN where no figure was published, which
        leaves that index out of that country's loss
    constants : one shift per index, the same for all countries
    readout, respondents, temperature : see :func:`..surveys.item_means`
    """

    survey: Survey
    targets: np.ndarray
    constants: Constants
    readout: str = "expected"
    respondents: int = 50
    temperature: float = 1.0
    in_points = 1.0

    def __post_init__(self) -> None:
        names = [index.name for index in self.survey.indices]
        if not names:
            raise SpecificationError(
                f"The survey {self.survey.name!r} defines no indices, so it cannot be compared "
                "with index figures; add 'indices:' to it (indices: vsm2013 takes over that key)."
            )
        if np.isnan(self.targets).all(axis=1).any():
            raise SpecificationError(f"A country without a figure on any of {', '.join(names)}.")

    def outputs(self, answers: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
        """(candidates, indices) index points of (candidates, items, width) answers."""
        means = item_means(
            answers,
            self.survey,
            # A baseline is not drawn: its expectation is known.
            "expected" if rng is None and self.readout == "sampled" else self.readout,
            respondents=self.respondents,
            temperature=self.temperature,
            rng=rng,
        )
        means[~np.isfinite(answers).all(axis=(1, 2))] = np.nan
        return self.indices(means)

    def indices(self, means: np.ndarray) -> np.ndarray:
        """(candidates, indices) index points of (candidates, items) item means, constants included."""
        return raw_indices(self.survey, means) + self.constants.array()

    def losses(self, outputs: np.ndarray) -> np.ndarray:
        """(countries, candidates): the mean absolute error over the indices that have a target."""
        return mean_absolute_error(outputs[None] - self.targets[:, None])

    def cotangent(self, answers: np.ndarray, country: int) -> np.ndarray:
        """Of the mean of sqrt(r^2 + w^2) over the indices that have a target, w = :data:`ROUNDED`: the mean
        absolute error, smooth where it is nearly nothing.
        """
        target = self.targets[country]
        known = ~np.isnan(target)
        residuals = self.outputs(answers)[:, known] - target[known]
        by_mean = _smooth_slope(residuals) @ self.survey.index_weights[known] / known.sum()
        return np.asarray(by_mean[:, :, None] * self.survey.codes)


def _smooth_slope(residuals: np.ndarray) -> np.ndarray:
    """The derivative of sqrt(r^2 + w^2), which is |r| with its kink rounded off."""
    return np.asarray(residuals / np.sqrt(residuals**2 + ROUNDED**2))


def mean_absolute_error(residuals: np.ndarray) -> np.ndarray:
    """The mean of |r| over the last axis, NaN residuals left out, NaN where all of them are."""
    return known_mean(np.abs(residuals))
