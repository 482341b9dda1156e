"""Opinion surveys: a survey, and how samples of people in many countries answered it.

The unit is a *distribution*: the shares of the answers to one item in one sample. Whatever a file
holds besides is counted, with the reason why it was left out: see :class:`Report`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from ..errors import SpecificationError, require_one_of
from ..files.report import Report
from ..populations.countries import countries
from ..populations.population import Population, find_population
from .signs import with_labels as with_labels  # asked for here by those who ask a survey
from .survey import Item, Survey

SAMPLES = ("national", "non-national", "region", "all")
APART = ("region", "group")
MISSING = ("drop", "keep")


@dataclass(frozen=True)
class Sample:
    """Who answered: the ``label`` in the source, the ``country`` as a code, and the ``kind``.

    ``kind`` is ``national``, or ``non-national`` where the source says that the sample does not
    stand for the whole country (it was drawn in its cities, for instance); ``region`` for several
    countries or a part of one, whose code begins with ``X-``; ``group`` for people that the file
    itself declares, ``country`` being the group's code.
    """

    label: str
    country: str
    kind: str = "national"


@dataclass(frozen=True)
class Distribution:
    """``shares`` of the options of ``item`` in ``sample``, in the scale's order; they sum to 1.

    ``people`` is how many were asked, where the file says so.
    """

    item: str
    sample: Sample
    shares: tuple[float, ...]
    people: float | None = None


@dataclass(frozen=True)
class OpinionSurvey:
    """A survey with the distributions of the answers to it.

    ``ordered`` names the items whose options form a ladder; only for those has a distance between
    options a meaning (see :func:`..statistics.distances.earth_movers_distance`). ``sources`` says where the
    figures of an item are from, for the items of which that is known. ``groups`` are the people that
    the file declares, where it is a file of answers by group and not by country.
    """

    survey: Survey
    distributions: tuple[Distribution, ...]
    report: Report
    ordered: frozenset[str] = frozenset()
    sources: Mapping[str, str] = field(default_factory=dict)
    groups: tuple[Population, ...] = ()

    def __len__(self) -> int:
        return len(self.distributions)

    @cached_property
    def items(self) -> Mapping[str, Item]:
        return {item.id: item for item in self.survey.items}

    @cached_property
    def countries(self) -> Mapping[str, int]:
        """The number of distributions of every country (no region, no group), the largest first."""
        codes = (d.sample.country for d in self.distributions if d.sample.kind not in APART)
        return dict(Counter(codes).most_common())

    @cached_property
    def populations(self) -> Mapping[str, int]:
        """The number of distributions of all there are: countries, regions and groups by code."""
        return dict(Counter(d.sample.country for d in self.distributions).most_common())

    def shares(self) -> np.ndarray:
        """(distributions, survey.width) float64; rows sum to 1, zeros behind an item's options."""
        table = np.zeros((len(self), self.survey.width))
        for row, distribution in zip(table, self.distributions, strict=True):
            row[: len(distribution.shares)] = distribution.shares
        return table

    def without(self, items: Collection[str]) -> OpinionSurvey:
        """The survey without some of its items and their distributions."""
        return self._of([d for d in self.distributions if d.item not in items])

    def select(
        self, *, samples: str = "all", countries: Sequence[str] | None = None
    ) -> OpinionSurvey:
        """The distributions of one kind of samples (of :data:`SAMPLES`) and of some countries.

        Groups are taken whatever the kind. Items that nobody is left for go as well. The report
        stays that of the file.

        Raises
        ------
        SpecificationError
            A country has no such sample here; the message says which ones of its continent have.
        """
        require_one_of("The samples", samples, SAMPLES)
        kinds = {"group", samples}
        kept = [d for d in self.distributions if samples == "all" or d.sample.kind in kinds]
        if countries is not None:
            codes = {_code(name, self, samples) for name in countries}
            kept = [d for d in kept if d.sample.country in codes]
        if not kept:
            raise SpecificationError(
                f"{self.survey.title} has no distribution of a {samples} sample."
            )
        return self._of(kept)

    def _of(self, kept: Sequence[Distribution]) -> OpinionSurvey:
        asked = {d.item for d in kept}
        items = tuple(item for item in self.survey.items if item.id in asked)
        return replace(
            self,
            survey=replace(self.survey, items=items),
            distributions=tuple(kept),
            ordered=self.ordered & asked,
        )


def _code(name: str, opinions: OpinionSurvey, samples: str) -> str:
    """The code of a country that has samples of the kind asked for; else the error says who has."""
    country = find_population(name, opinions)
    kinds = {d.sample.kind for d in opinions.distributions if d.sample.country == country.code}
    if kinds if samples == "all" else kinds & {samples, "group"}:
        return country.code
    kind = "" if samples == "all" else f"{samples} "
    message = f"{opinions.survey.title} has no {kind}sample of {country.name}"
    if kinds:
        message += f", but {' and '.join(sorted(kinds))} ones: ask for samples 'all'."
    else:
        table = countries()
        here = table[country.code].continent if country.code in table else None
        near = [c for c in opinions.countries if table[c].continent == here]
        names = ", ".join(f"{table[code].name} ({opinions.countries[code]})" for code in near[:6])
        message += f"; with the most questions on the same continent: {names}." if near else "."
    raise SpecificationError(message)
