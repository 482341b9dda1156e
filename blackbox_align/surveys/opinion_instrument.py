"""A survey, and the shares of people's answers to it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..populations import Population, find_population
from ..results.names import MEAN_OF_OTHER_GROUPS, MEAN_OF_OTHERS, TEMPERED, UNIFORM
from ..statistics import baselines
from ..statistics.distances import (
    DISTRIBUTION_METRICS,
    EARTH_MOVERS_DISTANCE,
    Metric,
    earth_movers_distance,
)
from .instrument import Array, Measured, OfSurvey, Whole, counted
from .opinions import OpinionSurvey
from .survey import Survey


@dataclass(frozen=True, eq=False)
class Opinions(OfSurvey):
    """People's answers to a survey, of one kind of ``samples``; ``everyone`` is where other peoples'
    answers are looked up.

    A row is a distribution: one sample of a population that was asked an item.
    """

    opinions: OpinionSurvey
    everyone: OpinionSurvey
    samples: str = "national"
    missing: str = "drop"

    metrics = (
        *(Metric(m.name, m.title, m.higher_is_better) for m in DISTRIBUTION_METRICS.values()),
        EARTH_MOVERS_DISTANCE,
    )
    headline = (
        "one_minus_js_distance_nats", "one_minus_js_divergence_bits", EARTH_MOVERS_DISTANCE.name
    )  # fmt: skip

    @classmethod
    def of(
        cls, opinions: OpinionSurvey, samples: str = "national", missing: str = "drop"
    ) -> Opinions:
        """The distributions of one kind of samples, all populations; ``missing`` is how it was read."""
        chosen = opinions.select(samples=samples)
        if samples == "all":  # a region holds countries that are there themselves
            apart = {d.sample.country for d in chosen.distributions if d.sample.kind == "region"}
            rest = [code for code in chosen.populations if code not in apart]
            chosen = chosen.select(countries=rest) if apart and rest else chosen
        return cls(chosen, opinions, samples, missing)

    @property
    def survey(self) -> Survey:  # type: ignore[override]
        return self.opinions.survey

    @cached_property
    def digest(self) -> str:
        asked = replace(self.survey, source="").sha256  # wherever the file lies
        rows = [(d.item, d.sample.label, d.shares) for d in self.opinions.distributions]
        return hashlib.sha256(json.dumps([asked, rows]).encode()).hexdigest()

    @property
    def populations(self) -> tuple[Population, ...]:
        return tuple(
            find_population(code, self.opinions) for code in sorted(self.opinions.populations)
        )

    def shares(self, population: Population) -> Array:
        return shares_by_country(self.opinions, [population.code], self.survey)[0]

    def asked_of(self, population: Population) -> Whole:
        return np.unique(self.rows(population))

    def rows(self, population: Population) -> Whole:
        return self._item[self._places(population)]

    def measure(self, answers: Array, population: Population) -> Measured:
        return self._measure(answers[self.rows(population)], population)

    def baselines(
        self,
        population: Population,
        unprompted: Array | None = None,
        fitted_items: Collection[str] = (),
    ) -> Mapping[str, Measured]:
        rows = self.rows(population)
        others = MEAN_OF_OTHER_GROUPS if self.opinions.groups else MEAN_OF_OTHERS
        known = {
            UNIFORM: self._measure(baselines.uniform(self.sizes)[rows], population),
            others: self._measure(self._mean_of_others(population)[rows], population),
        }
        if unprompted is not None:
            answers = self._tempered(unprompted[rows], population, fitted_items)
            known[TEMPERED] = self._measure(answers, population)
        return known

    def notes(self, populations: Sequence[Population]) -> list[str]:
        rule = (
            '"Don\'t know", refused and missing are left out, and the rest scaled to sum to 1.'
            if self.missing == "drop"
            else '"Don\'t know", refused and missing count as options like any other.'
        )
        people = ("group",) if self.opinions.groups else ("country", "countries")
        distributions = sum(len(self._places(population)) for population in populations)
        return [
            f"{counted(distributions, 'distribution')} of {counted(len(self.items), 'question')} in "
            f"{counted(len(populations), *people)}; samples: {self.samples}. {rule}",
            *self.opinions.report.lines(),
        ]

    def select(self, populations: Sequence[Population]) -> Opinions:
        codes = [population.code for population in populations]
        chosen = self.everyone.select(samples=self.samples, countries=codes)
        return replace(self, opinions=chosen)

    def without(self, items: Collection[str]) -> Opinions:
        return replace(self, opinions=self.opinions.without(items)) if items else self

    @cached_property
    def _item(self) -> Whole:
        """(distributions,) the position of the item of every distribution."""
        place = {item.id: n for n, item in enumerate(self.items)}
        return np.array([place[d.item] for d in self.opinions.distributions], dtype=int)

    @cached_property
    def _observed(self) -> Array:
        return self.opinions.shares()

    @cached_property
    def _by_code(self) -> Mapping[str, list[int]]:
        places: dict[str, list[int]] = {}
        for n, distribution in enumerate(self.opinions.distributions):
            places.setdefault(distribution.sample.country, []).append(n)
        return places

    def _places(self, population: Population) -> list[int]:
        return self._by_code.get(population.code, [])

    def _measure(self, answers: Array, population: Population) -> Measured:
        """From (rows, options)."""
        here = self._places(population)
        observed, sizes = self._observed[here], self.sizes[self._item[here]]
        measured = {m.name: m.function(answers, observed) for m in DISTRIBUTION_METRICS.values()}
        ladder = np.array(
            [self.opinions.distributions[n].item in self.opinions.ordered for n in here]
        )
        moved = earth_movers_distance(answers, observed, sizes)
        measured[EARTH_MOVERS_DISTANCE.name] = np.where(ladder, moved, np.nan)
        return measured

    def _tempered(
        self, answers: Array, population: Population, fitted_items: Collection[str]
    ) -> Array:
        """(rows, options): the answers at a temperature that was fitted elsewhere.

        Where some items are there to be fitted, the temperature is theirs, for all rows alike; else
        every fifth of the questions is answered at that of the other four fifths.
        """
        here = self._places(population)
        observed, names = self._observed[here], [self.items[n].id for n in self._item[here]]
        fit = np.array([name in fitted_items for name in names], dtype=bool)
        if fit.any():
            best = baselines.best_temperature(answers[fit], observed[fit])
            return baselines.sharpened(answers, best)
        return baselines.tempered(answers, observed, self._item[here])

    @cached_property
    def _others(self) -> tuple[tuple[str, ...], Array]:
        """The codes of everyone, and (populations, items, options) what they answered to our items."""
        alike = Opinions.of(self.everyone, self.samples).opinions
        codes = tuple(alike.populations)
        return codes, shares_by_country(alike, codes, self.survey)

    def _mean_of_others(self, population: Population) -> Array:
        codes, shares = self._others
        own = codes.index(population.code) if population.code in codes else None
        return baselines.mean_of_others(shares, own)


def shares_by_country(
    opinions: OpinionSurvey, codes: Sequence[str], survey: Survey | None = None
) -> Array:
    """(populations, items, options): the mean over the samples of a population, NaN where it was not
    asked. The items are those of ``survey``, the opinions' own without one.
    """
    survey = survey or opinions.survey
    items = {item.id: row for row, item in enumerate(survey.items)}
    place = {code: row for row, code in enumerate(codes)}
    total = np.zeros((len(codes), len(items), survey.width))
    count = np.zeros((len(codes), len(items), 1))
    for distribution in opinions.distributions:
        if distribution.sample.country in place and distribution.item in items:
            cell = place[distribution.sample.country], items[distribution.item]
            total[cell][: len(distribution.shares)] += distribution.shares
            count[cell] += 1
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
