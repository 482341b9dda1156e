"""Maps: which countries answer as one colour. A map is data; nobody's map is the right one.

::

    name: continents
    title: Five continents, 18 countries
    source: where the division is from               # may be absent
    colours:
      africa: {name: Africa, countries: [KEN, NGA, ETH, ZWE]}
      europe:
        name: Europe
        countries: [Europe]                           # names of groups of countries are understood
        phrases: [Europe, Germany, France]            # may be absent: the name
        wording: Answer as somebody from {name} would.  # may be absent
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BlackboxAlignError, SpecificationError, UnknownNameError
from ..files.yaml import YamlDocument, is_yaml, read_yaml
from ..populations import Population
from ..populations.groups import expand, parse_countries
from ..populations.population import COUNTRY_WORDING
from ..statistics import baselines
from ..surveys.instruments import shares_by_country
from ..surveys.opinions import OpinionSurvey

DEFAULT_MAP = "continents"
_FOLDER = Path(__file__).parent / "data" / "maps"
_CODE = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_KEYS = {"name", "title", "source", "colours"}
_COLOUR_KEYS = {"name", "countries", "phrases", "wording"}


@dataclass(frozen=True)
class Colour:
    """Countries that answer as one.

    Parameters
    ----------
    code : its name in folders and tables
    name : what people call it
    countries : codes of its members
    phrases : whose hidden states, averaged, are its row of a gate; the name where there are none
    wording : the sentence that tells a model in text whom to answer like
    """

    code: str
    name: str
    countries: tuple[str, ...]
    phrases: tuple[str, ...] = ()
    wording: str = COUNTRY_WORDING

    @property
    def population(self) -> Population:
        """The colour as people that a model is to answer like."""
        return Population(self.code, self.name, self.wording)


@dataclass(frozen=True)
class PaletteMap:
    """A division of countries into colours, two or more; no country has two."""

    name: str
    title: str
    colours: tuple[Colour, ...]
    source: str = field(default="")

    def __post_init__(self) -> None:
        if len(self.colours) < 2:
            raise SpecificationError(
                f"The map {self.name!r} has {len(self.colours)} colours; a palette needs two or more."
            )
        seen: dict[str, str] = {}
        for colour in self.colours:
            for code in colour.countries:
                if code in seen:
                    raise SpecificationError(
                        f"{code} is in {seen[code]} and in {colour.code} of the map {self.name!r}; a "
                        "country has one colour."
                    )
                seen[code] = colour.code

    @property
    def codes(self) -> tuple[str, ...]:
        """The colours' codes, in the order of the map."""
        return tuple(colour.code for colour in self.colours)

    @property
    def countries(self) -> tuple[str, ...]:
        """The countries of all colours, colour by colour."""
        return tuple(code for colour in self.colours for code in colour.countries)

    @cached_property
    def _colour(self) -> dict[str, int]:
        return {code: n for n, one in enumerate(self.colours) for code in one.countries}

    def colour(self, code: str) -> Colour:
        """A colour by its code; :class:`UnknownNameError` where there is none."""
        for one in self.colours:
            if one.code == code:
                return one
        hint = f"Those of the map: {', '.join(self.codes)}."
        raise UnknownNameError("colour", code, self.codes, hint)

    def place_of(self, country: str) -> int | None:
        """The position of a country's colour; None where the map has not got the country."""
        return self._colour.get(country)

    def among(self, available: Sequence[str]) -> PaletteMap:
        """The map with the countries in ``available`` alone, and the colours that keep any."""
        kept = [
            replace(one, countries=tuple(c for c in one.countries if c in available))
            for one in self.colours
        ]
        return replace(self, colours=tuple(one for one in kept if one.countries))


def map_names() -> list[str]:
    """The maps that ship with the package."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def load_map(name_or_file: str | Path = DEFAULT_MAP) -> PaletteMap:
    """A map by its name, or from a YAML file.

    Raises
    ------
    UnknownNameError
        There is no map of that name.
    DataFileError, SpecificationError
        A mistake in the file, with its line.
    """
    text, path = str(name_or_file), Path(name_or_file)
    if text in map_names():
        path = _FOLDER / f"{text}.yaml"
    elif not is_yaml(path):
        raise UnknownNameError(
            "map", text, map_names(), f"There are {' and '.join(map_names())}, and YAML files."
        )
    document = read_yaml(path)
    top = document.value
    name = document.require(top, (), "name", str, "a short name without blanks")
    document.only(top, (), _KEYS)
    entries = document.require(top, (), "colours", dict, "code: {name, countries}")
    colours = [_colour(document, str(code), entry) for code, entry in entries.items()]
    try:
        return PaletteMap(
            name, str(top.get("title", name)), tuple(colours), str(top.get("source", ""))
        )
    except SpecificationError as error:
        document.fail(("colours",), str(error))


def mean_shares(opinions: OpinionSurvey, countries: Sequence[str]) -> NDArray[np.floating]:
    """(items, options): the mean over those of the countries that were asked an item, NaN where none was."""
    there = [code for code in countries if code in opinions.countries]
    if not there:
        return np.full((len(opinions.survey.items), opinions.survey.width), np.nan)
    return baselines.known_mean(shares_by_country(opinions, there))


def _colour(document: YamlDocument, code: str, entry: Any) -> Colour:
    place = ("colours", code)
    if not _CODE.fullmatch(code):
        document.fail(
            place,
            f"a colour cannot be called {code!r}: its code is of small letters, digits, '-' and '_'.",
        )
    name = document.require(entry, place, "name", str, "what the colour is called")
    document.only(entry, place, _COLOUR_KEYS)
    named = document.require(entry, place, "countries", list, "codes or names of countries")
    phrases = document.require(
        {"phrases": []} | entry, place, "phrases", list, "words that name the colour"
    )
    told = {"wording": COUNTRY_WORDING} | entry
    wording = document.require(told, place, "wording", str, "the sentence that names the colour")
    try:
        found = expand(parse_countries([str(one) for one in named]))
    except BlackboxAlignError as error:
        document.fail((*place, "countries"), str(error))
    codes = tuple(country.code for country in found)
    return Colour(code, name.strip(), codes, tuple(map(str, phrases)), wording.strip())
