"""Groups of countries that have a name: one vocabulary for all that asks for countries.

``all``, the continents, and sets that papers report on. A group is a name for its members; which of
them there are data for is known only where it is used, so it is expanded there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from ..errors import SpecificationError, UnknownNameError
from .countries import Country, countries, find_country, known_country

CONTINENTS = ("Africa", "Americas", "Asia", "Europe", "Oceania")
SETS = {
    # Cultural Palette (arXiv 2412.11167): the countries of its tables.
    "cultural-palette": (
        "USA", "CAN", "BOL", "BRA", "GBR", "NLD", "DEU", "UKR", "CHN", "RUS", "IND", "THA",
        "KEN", "NGA", "ETH", "ZWE", "AUS", "NZL",
    ),
}  # fmt: skip
GROUPS = ("all", *CONTINENTS, *SETS)

# What a person may type and mean one of several: asked about, never guessed.
_UNCLEAR = {
    "korea": "South Korea (KOR) or North Korea (PRK)",
    "congo": "the Republic of the Congo (COG) or the Democratic Republic of the Congo (COD)",
    "eu": "the continent (Europe), which is more, or some of its members by their names",
    "european union": "the continent (Europe), which is more, or some of its members by their names",
}


def parse_countries(asked: str | Sequence[str]) -> tuple[str, ...]:
    """ISO codes and names of groups, each once, from what a person wrote.

    One string or several; each is a code, a name, an alias or a group, in any case, or several of
    these between commas, ``+`` or blanks: ``"SAU,USA"``, ``"SAU USA"``, ``"europe"``.

    Raises
    ------
    UnknownNameError
        There is no such country or group; the nearest names are offered.
    SpecificationError
        Nothing was named, or a name may mean several ("Korea").
    """
    names = [asked] if isinstance(asked, str) else list(asked)
    found = [word for name in names for word in _words(str(name))]
    if not found:
        raise SpecificationError("No country was named; a code, a name or a group, such as SAU.")
    return tuple(dict.fromkeys(found))


def expand(words: Iterable[str], available: Collection[str] | None = None) -> tuple[Country, ...]:
    """The countries of codes and groups, each once, in their order.

    A group gives those of its members that are in ``available`` (codes), or all without it, and no
    regions; a country named by itself is given whether it is available or not.
    """
    found: list[Country] = []
    for word in words:
        found += _members(word, available) if word in GROUPS else [find_country(word)]
    return tuple(dict.fromkeys(found))


def _members(group: str, available: Collection[str] | None) -> list[Country]:
    codes = SETS.get(group, available if available is not None else tuple(countries()))
    there = [countries()[code] for code in codes if available is None or code in available]
    if group in CONTINENTS:
        there = [country for country in there if country.continent == group]
    return [country for country in there if not country.is_region]


def _words(name: str) -> list[str]:
    """The codes and groups in one string, which is taken whole where it is a name as it stands."""
    whole = _word(name)
    if whole is not None:
        return [whole]
    for separator in (",", ";", "+", None):
        parts = [part.strip() for part in name.split(separator)]
        if len(parts) > 1:
            # A part of a list may be one itself; a blank alone does not make one of a misspelling.
            if separator is not None:
                return [word for part in parts if part for word in _words(part)]
            known = [_word(part) for part in parts]
            if all(known):
                return [word for word in known if word]
            if any(word == part for word, part in zip(known, parts, strict=True)):
                name = next(part for part, word in zip(parts, known, strict=True) if not word)
    raise UnknownNameError("country", name, _spellings(), "`bbalign countries` lists them all.")


def _word(name: str) -> str | None:
    """The code or group of a name; None where it is not one."""
    bare = " ".join(name.split()).casefold()
    if bare in _UNCLEAR:
        raise SpecificationError(f"{name.strip()!r} may mean {_UNCLEAR[bare]}: say which.")
    for group in GROUPS:
        if bare == group.casefold():
            return group
    country = known_country(name)
    return country.code if country else None


def _spellings() -> list[str]:
    known = list(countries().values())
    return [
        *(country.code for country in known),
        *(spelling for country in known for spelling in (country.name, *country.aliases)),
        *GROUPS,
    ]
