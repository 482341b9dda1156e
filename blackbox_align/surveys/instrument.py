"""The seam of instruments: a questionnaire with what people answered, or what is right."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import SpecificationError
from ..populations import Population
from ..results import Asked
from ..statistics.distances import Metric
from .survey import Item, Survey

Array = NDArray[np.floating]
Whole = NDArray[np.integer]
Measured = Mapping[str, Array]
"""(rows,) values of every metric, by its name."""

Pooled = Literal["populations", "questions"]


class Instrument(Protocol):
    """A questionnaire with indices, opinions, or a test of knowledge.

    ``pooled`` says over what the last row of a table is averaged: populations, each counting alike, or
    questions. A *row* is one observation of a population: a distribution of answers, a question or an
    index; rows of one question are drawn together in a bootstrap.
    """

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def digest(self) -> str:
        """A hash of what is asked, and of what is known of people."""

    @property
    def survey(self) -> Survey:
        """What is asked."""

    @property
    def items(self) -> tuple[Item, ...]: ...
    @property
    def populations(self) -> tuple[Population, ...]: ...
    @property
    def metrics(self) -> tuple[Metric, ...]: ...
    @property
    def headline(self) -> tuple[str, ...]:
        """The metrics to print first."""

    @property
    def pooled(self) -> Pooled: ...
    @property
    def resampled(self) -> str:
        """What a bootstrap draws again: questions or indices."""

    @property
    def index_names(self) -> tuple[str, ...]: ...

    def shares(self, population: Population) -> Array:
        """(items, options): what people answered, or what is right; NaN where that is not known."""

    def figures(self, population: Population) -> Array:
        """(indices,) published points, NaN where there is none; empty where there are no indices."""

    def indices(self, answers: Array) -> Array:
        """(indices,) points that (items, options) answers give; empty where there are no indices."""

    def asked_of(self, population: Population) -> Whole:
        """The positions of the items that are asked of, or about, a population, in order."""

    def rows(self, population: Population) -> Whole:
        """(rows,) the question of every row of :meth:`measure`."""

    def measure(self, answers: Array, population: Population) -> Measured:
        """Every metric of (items, options) answers, row by row; NaN where it is not defined."""

    def baselines(
        self,
        population: Population,
        unprompted: Array | None = None,
        fitted_items: Collection[str] = (),
        rng: np.random.Generator | None = None,
    ) -> Mapping[str, Measured]:
        """What needs no model, measured, by name.

        They come measured and not as answers, because of some there are only figures (the mean of
        other countries' indices). With the ``unprompted`` answers of a model there is what can be made
        of them without asking anew; what is fitted is fitted on ``fitted_items`` where there are any.
        With ``rng``, which draws samples of people, there is their noise.
        """

    def fitted(self, fitted_items: Collection[str]) -> NDArray[np.bool_]:
        """(questions,) which of the questions that :meth:`rows` names were fitted; empty where all figures
        are of all of them.
        """

    def notes(self, populations: Sequence[Population]) -> list[str]:
        """What has to stand beside a table of some populations: counts, rules, what is missing."""

    def asked(self) -> Asked:
        """What a result records of it."""

    def select(self, populations: Sequence[Population]) -> Instrument:
        """The part that is asked of some populations; an error where one is not in it."""

    def without(self, items: Collection[str]) -> Instrument:
        """The instrument without some of its items."""


Kind = TypeVar("Kind", bound="OfSurvey")


class OfSurvey:
    """What instruments have in common: they are asked through a survey, and most have no indices."""

    survey: Survey
    pooled: ClassVar[Pooled] = "populations"
    resampled: ClassVar[str] = "questions"

    @property
    def name(self) -> str:
        return self.survey.name

    @property
    def title(self) -> str:
        return self.survey.title

    @property
    def items(self) -> tuple[Item, ...]:
        return self.survey.items

    @property
    def sizes(self) -> Whole:
        """(items,) the number of options of every item."""
        return np.array([len(item.scale) for item in self.items], dtype=int)

    @property
    def index_names(self) -> tuple[str, ...]:
        return ()

    def shares(self, population: Population) -> Array:
        return np.full((len(self.items), self.survey.width), np.nan)

    def asked_of(self, population: Population) -> Whole:
        return np.arange(len(self.items))

    def figures(self, population: Population) -> Array:
        return np.zeros(0)

    def fitted(self, fitted_items: Collection[str]) -> NDArray[np.bool_]:
        return np.array([item.id in fitted_items for item in self.items], dtype=bool)

    def indices(self, answers: Array) -> Array:
        return np.zeros(0)

    def whole(self: Kind, items: Collection[str]) -> Kind:
        """The instrument itself, for one that is measured by all of its items together."""
        if items:
            raise SpecificationError(
                f"{self.title} is measured by the answers to all of its items; "
                f"{', '.join(sorted(items))} cannot be left out."
            )
        return self

    def asked(self: Instrument) -> Asked:
        return Asked(
            self.name,
            self.title,
            self.digest,
            len(self.items),
            self.metrics,
            self.headline,
            source=self.survey.source,
        )
