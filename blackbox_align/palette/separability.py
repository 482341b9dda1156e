"""Whether a map's colours can be told apart by how people answer: printed before anything is trained.

The unit is a question that two countries were both asked, and the Jensen-Shannon distance (nats) of their
answers. A colour explains something only where countries of one colour lie nearer to each other than to
those of others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import SpecificationError
from ..statistics.baselines import known_mean
from ..statistics.bootstrap import Bootstrap, Estimate
from ..statistics.distances import js_distance
from ..surveys.instruments import shares_by_country
from ..surveys.opinions import OpinionSurvey
from .maps import PaletteMap

Array = NDArray[np.floating]


@dataclass(frozen=True)
class OfColour:
    """How far countries of one colour lie from each other, and from those of other colours."""

    code: str
    name: str
    countries: int
    within: Estimate
    between: Estimate


@dataclass(frozen=True)
class OfCountry:
    """How far a country lies from single countries of its own colour, on average, and of the others.

    ``nearest`` is the code of the nearest colour, ``gain`` how much nearer the countries of its own one are
    than those of all others: below zero the map misleads about this country.
    """

    code: str
    colour: str
    own: float
    nearest: str
    gain: Estimate


@dataclass(frozen=True)
class Separability:
    """Distances within and between colours, over ``questions``, with 95 % intervals over questions."""

    within: Estimate
    between: Estimate
    gain: Estimate
    colours: tuple[OfColour, ...]
    countries: tuple[OfCountry, ...]
    questions: int
    left_out: tuple[str, ...]

    @property
    def nearest_is_own(self) -> tuple[int, int]:
        """The number of countries whose own colour is the nearest, and of those that have company in it."""
        accompanied = [one for one in self.countries if one.own == one.own]
        return sum(one.nearest == one.colour for one in accompanied), len(accompanied)


def separability(
    palette_map: PaletteMap, opinions: OpinionSurvey, resamples: int = 1000, seed: int = 0
) -> Separability:
    """Distances between countries' answers within and between the colours of a map.

    Countries of the map that nobody was asked in are ``left_out``.

    Raises
    ------
    SpecificationError
        Fewer than two colours have a country with answers.
    """
    there = [code for code in palette_map.countries if code in opinions.countries]
    left_out = tuple(code for code in palette_map.countries if code not in there)
    try:
        known = palette_map.among(there)
    except SpecificationError:
        raise SpecificationError(
            f"{opinions.survey.title} has answers of {len(there)} countries of the map "
            f"{palette_map.name!r}, of fewer than two colours; bring another survey or another map."
        ) from None
    codes = known.countries
    shares = shares_by_country(opinions, codes)
    colour = np.array([known.place_of(code) for code in codes])
    distances = _pairs(shares)
    one, other = np.triu_indices(len(codes), 1)
    alike = colour[one] == colour[other]
    question = np.arange(shares.shape[1])
    boot = Bootstrap(question, np.zeros_like(question), resamples, seed)
    within, between = known_mean(distances[alike]), known_mean(distances[~alike])
    near, far, gain = boot.estimate(np.stack([within, between, between - within], axis=1))
    colours = []
    for number, each in enumerate(known.colours):
        here = (colour[one] == number) | (colour[other] == number)
        rows = np.stack(
            [known_mean(distances[here & alike]), known_mean(distances[here & ~alike])], axis=1
        )
        colours.append(OfColour(each.code, each.name, len(each.countries), *boot.estimate(rows)))
    to_all = np.full((len(codes), len(codes), len(question)), np.nan)
    to_all[one, other] = to_all[other, one] = distances
    countries = [_of_country(n, to_all[n], colour, known, boot) for n in range(len(codes))]
    return Separability(near, far, gain, tuple(colours), tuple(countries), len(question), left_out)


def _of_country(
    country: int, distances: Array, colour: NDArray[np.integer], known: PaletteMap, boot: Bootstrap
) -> OfCountry:
    """``distances`` are the (countries, questions) to every country, NaN to itself."""
    far = np.stack([known_mean(distances[colour == n]) for n in range(len(known.colours))])
    own = int(colour[country])
    each = known_mean(far.T)
    nearest = "" if np.isnan(each).all() else known.codes[int(np.nanargmin(each))]
    gain = boot.estimate((known_mean(distances[colour != own]) - far[own])[:, None])[0]
    return OfCountry(
        known.countries[country], known.colours[own].code, float(each[own]), nearest, gain
    )


def _pairs(shares: Array) -> Array:
    """(pairs, questions) distances of (countries, questions, options), NaN where one was not asked."""
    one, other = np.triu_indices(len(shares), 1)
    far = np.stack([js_distance(shares[a], shares[b]) for a, b in zip(one, other, strict=True)])
    unknown = np.asarray(np.isnan(shares).any(-1))
    return np.where(unknown[one] | unknown[other], np.nan, far)
