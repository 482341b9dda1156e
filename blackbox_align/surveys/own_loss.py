"""A loss of one's own: a Python function of the answers to a survey, and figures of it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import SpecificationError
from ..populations import Population
from ..results.names import UNIFORM
from ..results.tables import OWN
from ..statistics import baselines
from ..statistics.distances import Metric
from .instrument import Array, Measured, OfSurvey, Whole
from .survey import Survey

AnswersLoss = Callable[[NDArray[np.float64]], NDArray[np.floating[Any]]]
"""From answers (P, items, options), rows that sum to 1, to (P,) losses or (P, m) residuals."""


def name_of(function: AnswersLoss) -> str:
    """A function's own name, in letters, digits and underscores."""
    name = getattr(function, "__name__", type(function).__name__)
    return re.sub(r"\W+", "_", name).strip("_") or "function"


@dataclass(frozen=True, eq=False)
class OwnLoss(OfSurvey):
    """What a function says of the answers to a survey, as an instrument.

    It knows nothing of what people answered: every population is measured alike, and the one baseline is
    that of even answers. A row is a residual; the loss is their mean absolute value.
    """

    survey: Survey
    function: AnswersLoss
    chosen: tuple[Population, ...]

    resampled = "residuals"
    headline = (OWN,)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric(OWN, f"loss by {name_of(self.function)}", False),)

    @property
    def digest(self) -> str:
        told = f"{self.survey.sha256} {self.fingerprint()}"
        return hashlib.sha256(told.encode()).hexdigest()

    @property
    def populations(self) -> tuple[Population, ...]:
        return self.chosen

    def residuals(self, answers: Array) -> NDArray[np.float64]:
        """(P, m) of answers (P, items, options): what the function gives, NaN where an answer is none.

        Losses (P,) are one residual each.

        Raises
        ------
        SpecificationError
            The function gives another shape, or a loss below 0.
        """
        given = np.asarray(answers, np.float64)
        whole = np.isfinite(given).all(axis=(1, 2))
        count = int(whole.sum())
        if not count:
            return np.full((len(given), self.residuals(self._even[None]).shape[1]), np.nan)
        try:
            found = np.asarray(self.function(given[whole]), np.float64)
        except (TypeError, ValueError) as error:
            raise SpecificationError(
                f"The objective {name_of(self.function)!r} gives no array of numbers for answers of shape "
                f"{given[whole].shape}: {error}."
            ) from error
        if found.ndim not in (1, 2) or len(found) != count or found[0].size == 0:
            raise SpecificationError(
                f"The objective {name_of(self.function)!r} must give {count} losses, or so many rows of "
                f"residuals, for answers of shape {given[whole].shape}; not an array of shape {found.shape}."
            )
        if found.ndim == 1:
            if (found < 0).any():
                raise SpecificationError(
                    f"The objective {name_of(self.function)!r} gives a loss of {np.nanmin(found):g}; a loss "
                    "is 0 where nothing is to be bettered, and above it elsewhere: add a constant, or give "
                    "residuals."
                )
            found = found[:, None]
        residuals = np.full((len(given), found.shape[1]), np.nan)
        residuals[whole] = np.where(np.isfinite(found).all(axis=1, keepdims=True), found, np.nan)
        return residuals

    def fingerprint(self) -> list[str]:
        """What the function gives for a few answers: another one under the same name gives something else.

        To six digits, for the last ones differ between machines.
        """
        rng = np.random.default_rng(0)
        offered = np.arange(self.survey.width) < self.sizes[:, None]
        drawn = rng.random((3, *offered.shape)) * offered
        drawn[0] = offered
        drawn /= drawn.sum(axis=2, keepdims=True)
        return [f"{value:.6g}" for value in self.residuals(drawn).ravel()[:64]]

    def rows(self, population: Population) -> Whole:
        return np.arange(self.residuals(self._even[None]).shape[1])

    def measure(self, answers: Array, population: Population) -> Measured:
        return {OWN: np.abs(self.residuals(answers[None])[0])}

    def baselines(
        self,
        population: Population,
        unprompted: Array | None = None,
        fitted_items: Collection[str] = (),
        rng: np.random.Generator | None = None,
    ) -> Mapping[str, Measured]:
        return {UNIFORM: self.measure(self._even, population)}

    @property
    def _even(self) -> Array:
        return baselines.uniform(self.sizes)

    def fitted(self, fitted_items: Collection[str]) -> NDArray[np.bool_]:
        return np.zeros(0, dtype=bool)

    def notes(self, populations: Sequence[Population]) -> list[str]:
        return [
            f"The loss is by {name_of(self.function)}, a function of the answers to {self.title}; no record "
            "keeps it."
        ]

    def select(self, populations: Sequence[Population]) -> OwnLoss:
        return OwnLoss(self.survey, self.function, tuple(populations))

    def without(self, items: Collection[str]) -> OwnLoss:
        return self.whole(items)
