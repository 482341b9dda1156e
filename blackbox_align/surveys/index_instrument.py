"""A survey that is read through indices, and published figures of them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..errors import SpecificationError
from ..populations import Population, TargetSet, countries, country_population
from ..results import Asked
from ..results.names import MEAN_OF_OTHERS, MIDDLES, THREES
from ..statistics import baselines
from ..statistics.distances import ABSOLUTE_ERROR
from .instrument import Array, Measured, OfSurvey, Whole
from .readouts import item_means, raw_indices
from .survey import Survey


@dataclass(frozen=True, eq=False)
class Indices(OfSurvey):
    """A survey with indices, published ``targets`` of them, and constants in index points.

    The constants are one shift per index, the same for all populations and conditions, and come from a
    ``policy`` (see :mod:`..objectives.constants`); without them indices are raw. The ``readout`` is
    ``expected`` or ``greedy`` (see :mod:`.readouts`). Indices that were ``held_out`` of a fit have figures
    of their own.
    """

    survey: Survey
    targets: TargetSet
    constants: tuple[float, ...] = ()
    policy: str = "zero"
    chosen: tuple[str, ...] = ()
    readout: str = "expected"
    held_out: tuple[str, ...] = ()

    resampled = "indices"
    metrics = (ABSOLUTE_ERROR,)
    headline = (ABSOLUTE_ERROR.name,)

    def __post_init__(self) -> None:
        if not self.survey.indices:
            raise SpecificationError(
                f"{self.survey.title} defines no indices, so it cannot be compared with figures; add "
                "'indices:' to it, or bring people's answers to it as a CSV file (docs/assessment.md)."
            )

    @cached_property
    def digest(self) -> str:
        known = f"{self.survey.sha256} {self.targets.sha256}"
        return hashlib.sha256(known.encode()).hexdigest()

    @property
    def index_names(self) -> tuple[str, ...]:
        return tuple(index.name for index in self.survey.indices)

    @property
    def populations(self) -> tuple[Population, ...]:
        codes = self.chosen or self.targets.codes
        return tuple(country_population(countries()[code]) for code in codes)

    def figures(self, population: Population) -> Array:
        return self.targets.target(population.code, self.index_names)

    def fitted(self, fitted_items: Collection[str]) -> NDArray[np.bool_]:
        if not self.held_out:
            return np.zeros(0, dtype=bool)
        return np.array([name not in self.held_out for name in self.index_names])

    def indices(self, answers: Array) -> Array:
        shift = np.array(self.constants or np.zeros(len(self.index_names)))
        means = item_means(answers[None], self.survey, self.readout)
        return np.asarray(raw_indices(self.survey, means)[0] + shift)

    def rows(self, population: Population) -> Whole:
        return np.arange(len(self.index_names))

    def measure(self, answers: Array, population: Population) -> Measured:
        return self._error(self.indices(answers), population)

    def baselines(
        self,
        population: Population,
        unprompted: Array | None = None,
        fitted_items: Collection[str] = (),
        rng: np.random.Generator | None = None,
    ) -> Mapping[str, Measured]:
        threes = all(item.scale.codes == (1, 2, 3, 4, 5) for item in self.items)
        # A scale of even length has no likeliest option in its middle: the mean it is, in any readout.
        middle = replace(self, readout="expected").measure(self.middle, population)
        return {
            THREES if threes else MIDDLES: middle,
            MEAN_OF_OTHERS: self._error(self._mean_of_others(population), population),
        }

    @property
    def middle(self) -> Array:
        """(items, options): the middle of every scale; in VSM 2013 that is "all threes"."""
        return baselines.middle(self.sizes)

    def notes(self, populations: Sequence[Population]) -> list[str]:
        shift = self.constants or (0.0,) * len(self.index_names)
        values = ", ".join(
            f"{name} {value:+.1f}" for name, value in zip(self.index_names, shift, strict=True)
        )
        notes = [
            f"Targets: {self.targets.title}. Constants, the same for all rows: {self.policy} ({values})."
        ]
        missing = []
        for population in populations:
            gaps = np.flatnonzero(np.isnan(self.figures(population)))
            if len(gaps):
                names = ", ".join(self.index_names[n] for n in gaps)
                missing.append(f"{population.name} {names}")
        if missing:
            notes.append(f"No figure is published for {'; '.join(missing)}: left out of the error.")
        estimates = [p.name for p in populations if p.code in self.targets.estimates]
        if estimates:
            notes.append(f"The source calls its figures for {', '.join(estimates)} an estimate.")
        return notes

    def asked(self) -> Asked:
        shift = self.constants or (0.0,) * len(self.index_names)
        return replace(
            super().asked(),
            indices={index.name: index.title for index in self.survey.indices},
            targets=self.targets.name,
            targets_title=self.targets.title,
            policy=self.policy,
            constants=dict(zip(self.index_names, shift, strict=True)),
            held_out=self.held_out,
        )

    def select(self, populations: Sequence[Population]) -> Indices:
        for population in populations:
            self.figures(population)
        return replace(self, chosen=tuple(population.code for population in populations))

    def without(self, items: Collection[str]) -> Indices:
        return self.whole(items)

    def _error(self, indices: Array, population: Population) -> Measured:
        return {ABSOLUTE_ERROR.name: np.abs(indices - self.figures(population))}

    def _mean_of_others(self, population: Population) -> Array:
        table = countries()
        others = [c for c in self.targets.codes if c != population.code and not table[c].is_region]
        place = {name: n for n, name in enumerate(self.targets.indices)}
        rows = np.full((len(others), len(self.index_names)), np.nan)
        for row, code in zip(rows, others, strict=True):
            figures = self.targets.figures[code]
            row[:] = [figures[place[n]] if n in place else np.nan for n in self.index_names]
        return baselines.known_mean(rows)
