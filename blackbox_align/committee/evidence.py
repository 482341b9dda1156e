"""Evidence: which experts the words of a query name, and how strongly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..populations.countries import known_country
from .lexicon import Kind, Lexicon, Match, Sense, fold, lexicon, people_key

STRENGTHS: Mapping[Kind, float] = {"name": 1.0, "people": 0.75, "place": 0.5, "language": 0.25}
"""What a match counts by its kind: the surer a word names a country, the more."""

_COUNTRY_KEYS = {"country", "nationality", "population", "people", "home"}


@dataclass(frozen=True)
class Evidence:
    """What the words of a query say.

    Parameters
    ----------
    strength : expert name to how strongly it is named, above 0
    words : expert name to the words that name it
    without_expert : the named countries that no expert speaks for, by code, and their words
    regions : the words that name regions
    in_region : the experts inside of all the named regions
    """

    strength: Mapping[str, float]
    words: Mapping[str, tuple[str, ...]]
    without_expert: Mapping[str, tuple[str, ...]]
    regions: tuple[str, ...]
    in_region: tuple[str, ...]


@dataclass(frozen=True)
class Populations:
    """The experts of a committee by the populations that they speak for.

    ``experts`` is expert name to population: a country by code or name, or any other name, which is
    then found by its own words.
    """

    experts: Mapping[str, str]

    @cached_property
    def by_code(self) -> Mapping[str, tuple[str, ...]]:
        """Experts by country code; those of other populations stand under their own folded name."""
        found: dict[str, list[str]] = {}
        for expert, population in self.experts.items():
            found.setdefault(people_key(population), []).append(expert)
        return {code: tuple(experts) for code, experts in found.items()}

    @cached_property
    def lexicon(self) -> Lexicon:
        """The world's lexicon, and the names of populations that are no countries."""
        others = [fold(p) for p in self.experts.values() if known_country(p) is None]
        own = {phrase: Sense("name", {phrase: 1.0}) for phrase in others}
        return Lexicon({**lexicon().senses, **own}) if own else lexicon()

    def name(self, expert: str) -> str:
        """What the expert's population is called."""
        country = known_country(self.experts[expert])
        return country.name if country else self.experts[expert]

    def profile_matches(self, profile: Mapping[str, str]) -> tuple[Match, ...]:
        """What a profile names; the value of ``country`` may also be a code."""
        found: list[Match] = []
        for key, value in profile.items():
            country = known_country(value) if key.casefold() in _COUNTRY_KEYS else None
            if country:
                found.append(Match(value, 0, len(value), Sense("name", {country.code: 1.0})))
            else:
                found += self.lexicon.matches(value)
        return tuple(found)

    def gather(
        self, parts: Iterable[tuple[Sequence[Match], float]], strengths: Mapping[Kind, float]
    ) -> Evidence:
        """The evidence of several texts, each with what its matches weigh.

        A word that is said twice in a text does not name its country twice.
        """
        strength: dict[str, float] = {}
        words: dict[str, dict[str, None]] = {}
        without: dict[str, dict[str, None]] = {}
        regions: list[Match] = []
        for matches, weight in parts:
            for match in {fold(match.phrase): match for match in reversed(matches)}.values():
                if match.sense.kind == "region":
                    regions.append(match)
                    continue
                counts = weight * strengths.get(match.sense.kind, 0.0)
                for code, share in match.sense.shares.items():
                    experts = self.by_code.get(code, ())
                    if not experts:
                        without.setdefault(code, {})[match.phrase] = None
                    for expert in experts if counts * share > 0 else ():
                        each = counts * share / len(experts)
                        strength[expert] = strength.get(expert, 0.0) + each
                        words.setdefault(expert, {})[match.phrase] = None
        inside = [
            {e for code in region.sense.shares for e in self.by_code.get(code, ())}
            for region in regions
        ]
        return Evidence(
            strength,
            {expert: tuple(found) for expert, found in words.items()},
            {code: tuple(found) for code, found in without.items()},
            tuple(dict.fromkeys(region.phrase for region in regions)),
            tuple(e for e in self.experts if inside and all(e in s for s in inside)),
        )
