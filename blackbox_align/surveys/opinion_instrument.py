"""A survey, and the shares of people's answers to it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..populations import Population, find_population
from ..results.names import (
    CORRECTED,
    MEAN_OF_OTHER_GROUPS,
    MEAN_OF_OTHERS,
    MIXTURE,
    MIXTURE_OF_GROUPS,
    MODE,
    NOISE,
    TEMPERED,
    UNIFORM,
    counted,
)
from ..statistics import baselines
from ..statistics.correction import fit_correction
from ..statistics.distances import (
    DISTRIBUTION_METRICS,
    EARTH_MOVERS_DISTANCE,
    ENTROPY,
    PEOPLES_ENTROPY,
    PEOPLES_SPREAD,
    PEOPLES_VARIANCE,
    SIMBENCH_SCORE,
    UNIFORM_VARIATION,
    VARIANCE_RATIO,
    WORTH,
    Metric,
    earth_movers_distance,
    entropy,
    total_variation,
    variance,
)
from ..statistics.sampling import errors_of_shares, sample_shares
from .instrument import Array, Measured, OfSurvey, Whole
from .opinions import OpinionSurvey
from .survey import Survey

# Of a sample whose size the file does not say, for the noise of sampling alone.
PEOPLE_ASSUMED = 1000
_SAMPLES = 200  # that the noise is averaged over


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
        *(EARTH_MOVERS_DISTANCE, SIMBENCH_SCORE, VARIANCE_RATIO, ENTROPY, WORTH),
        *(PEOPLES_ENTROPY, PEOPLES_VARIANCE, PEOPLES_SPREAD, UNIFORM_VARIATION),
    )
    headline = ("one_minus_js_distance_nats",)

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
        rng: np.random.Generator | None = None,
    ) -> Mapping[str, Measured]:
        rows = self.rows(population)
        groups = bool(self.opinions.groups)
        made = {
            UNIFORM: baselines.uniform(self.sizes)[rows],
            MODE: baselines.mode(self._observed[self._places(population)]),
            MEAN_OF_OTHER_GROUPS if groups else MEAN_OF_OTHERS: baselines.known_mean(
                self._others_of(population)
            )[rows],
            MIXTURE_OF_GROUPS if groups else MIXTURE: self._mixture(population, fitted_items)[rows],
        }
        if unprompted is not None:
            observed, fit = self._observed[self._places(population)], self.fitted(fitted_items)
            made[TEMPERED] = baselines.tempered(unprompted[rows], observed, rows, fit[rows])
            made[CORRECTED] = self._corrected(unprompted[rows], population, fitted_items)
        known = {name: self._measure(answers, population) for name, answers in made.items()}
        if rng is not None:
            known[NOISE] = self._noise(population, rng)
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

    @cached_property
    def _people(self) -> Array:
        """(distributions,) how many were asked; NaN where the file does not say."""
        asked = [distribution.people for distribution in self.opinions.distributions]
        return np.array([np.nan if n is None else n for n in asked])

    def _measure(self, answers: Array, population: Population) -> Measured:
        """From (..., rows, options)."""
        here = self._places(population)
        observed, sizes = self._observed[here], self.sizes[self._item[here]]
        measured = {m.name: m.function(answers, observed) for m in DISTRIBUTION_METRICS.values()}
        ladder = np.array(
            [self.opinions.distributions[n].item in self.opinions.ordered for n in here], dtype=bool
        )
        moved = earth_movers_distance(answers, observed, sizes)
        measured[EARTH_MOVERS_DISTANCE.name] = np.where(ladder, moved, np.nan)
        even = total_variation(baselines.uniform(self.sizes)[self._item[here]], observed)
        measured[SIMBENCH_SCORE.name] = 100 * (even - total_variation(answers, observed))
        measured[UNIFORM_VARIATION.name] = even
        places = np.arange(self.survey.width) / np.maximum(sizes - 1, 1)[:, None]
        measured[VARIANCE_RATIO.name] = np.where(ladder, variance(answers, places), np.nan)
        measured[PEOPLES_VARIANCE.name] = np.where(ladder, variance(observed, places), np.nan)
        measured[ENTROPY.name] = entropy(answers)
        measured[PEOPLES_ENTROPY.name] = entropy(observed)
        errors, spreads = errors_of_shares(answers, observed, self._people[here])
        measured[WORTH.name], measured[PEOPLES_SPREAD.name] = errors, spreads
        return measured

    def _noise(self, population: Population, rng: np.random.Generator) -> Measured:
        """What other samples of as many people would have, on average."""
        here = self._places(population)
        people = np.nan_to_num(self._people[here], nan=PEOPLE_ASSUMED)
        drawn = sample_shares(self._observed[here], np.maximum(people, 1), _SAMPLES, rng)
        measured = self._measure(drawn, population)
        return {name: np.broadcast_to(v, drawn.shape[:-1]).mean(0) for name, v in measured.items()}

    def _corrected(
        self, answers: Array, population: Population, fitted_items: Collection[str]
    ) -> Array:
        """(rows, options): the answers set right by known ones; see :mod:`..statistics.correction`."""
        rows, made = self.rows(population), np.array(answers, np.float64)
        observed, sizes = self._observed[self._places(population)], self.sizes[rows]
        for fit, apply in baselines.known_for(rows, self.fitted(fitted_items)[rows]):
            if fit.any():
                right = fit_correction(answers[fit], observed[fit], sizes[fit])
                made[apply] = right(answers[apply], sizes[apply])
        return made

    def _mixture(self, population: Population, fitted_items: Collection[str]) -> Array:
        """(items, options): the mixture of other peoples by known answers, as in :meth:`_corrected`."""
        others, own = self._others_of(population), self.shares(population)
        items, made = self.asked_of(population), np.full(own.shape, np.nan)
        for fit, apply in baselines.known_for(items, self.fitted(fitted_items)[items]):
            known = np.zeros(len(own), dtype=bool)
            known[items[fit]] = True
            mixed = baselines.mixture_of_others(others, own, known, self.sizes)
            made[items[apply]] = mixed[items[apply]]
        return made

    @cached_property
    def _others(self) -> tuple[tuple[str, ...], Array]:
        """The codes of everyone, and (populations, items, options) what they answered to our items."""
        alike = Opinions.of(self.everyone, self.samples).opinions
        codes = tuple(alike.populations)
        return codes, shares_by_country(alike, codes, self.survey)

    def _others_of(self, population: Population) -> Array:
        """(others, items, options): what everyone else answered."""
        codes, shares = self._others
        kept = [n for n, code in enumerate(codes) if code != population.code]
        return shares[kept]


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
