"""The country table: ISO 3166 codes, names and aliases, and the regions that target sets hold.

Kosovo has the user-assigned code XKX. Regions and parts of countries have no ISO code; theirs begin
with ``X-``, because some codes in the source of the 2015 matrix (BEN, CAF) are other countries'
ISO codes. What a source adds to a name without changing the country ("Arab Rep.", "The") may be
there or not; a name that several countries could be meant by is asked about.

Names in 79 other languages (``country_names.csv``) are those of the Unicode Common Locale Data
Repository, with its short forms and variants, and everyday names written down by hand ("Holland", "EE.UU.",
"أمريكا"); without the ones that two countries share, and the short ones that are words (Kota, Man, Pole).
"""

from __future__ import annotations

import csv
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from ..errors import UnknownNameError, nearest_names
from ..files.data import data_folder


@dataclass(frozen=True)
class Country:
    """A country or a region: ``code`` is ISO 3166-1 alpha-3, or ``X-...`` for a region.

    ``numeric`` is the number of ISO 3166-1 in three digits, which survey programmes use as a code;
    regions and Kosovo have none.
    """

    code: str
    alpha2: str
    numeric: str
    name: str
    kind: str
    continent: str
    aliases: tuple[str, ...]

    @property
    def is_region(self) -> bool:
        return self.kind == "region"


# Names that several countries, or none, could be meant by: asked about, never guessed.
_TRAPS = {
    "korea": ("South Korea", "North Korea"),
    "congo": ("Republic of the Congo", "Democratic Republic of the Congo"),
    "eu": (), "european union": (), "europe": (), "world": (), "east germany": ("Germany (East)",),
    "west germany": ("Germany (West)", "Germany"), "gdr": (), "ddr": (), "yugoslavia": (), "ussr": (),
    "soviet union": (), "czechoslovakia": (), "serbia and montenegro": (), "virgin islands": (),
    "netherlands antilles": (), "kurdistan": (), "tibet": (), "somaliland": (), "crimea": (),
    "northern cyprus": (), "turkish republic of northern cyprus": (), "channel islands": (),
    "new guinea": (), "kashmir": (), "transnistria": (), "germany dem rep": (), "georgia us": (),
    "german democratic republic": (), "germany democratic republic": (), "yemen dem rep": (),
}  # fmt: skip
# What the World Bank, the United Nations and others add to a name without changing the country:
# nouns, and words that stand beside one of them only (Israel's Arabs are no country).
_FORM = frozenset(
    {
        "and", "the", "of", "republic", "rep", "federation", "state", "states", "sts", "kingdom",
        "union", "region", "pdr", "rb", "fs", "province", "darussalam", "principality",
        "commonwealth", "sar", "grand", "duchy", "china",
    }
)  # fmt: skip
_FORM_BESIDE = frozenset(
    {
        "democratic", "dem", "people's", "peoples", "islamic", "arab", "federal", "federated",
        "fed", "prc", "plurinational", "bolivarian", "socialist", "united", "special", "administrative",
        "cooperative",
    }
)  # fmt: skip


@lru_cache
def countries() -> dict[str, Country]:
    """All countries and regions by code."""
    with (data_folder() / "countries.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        row["code"]: Country(
            row["code"],
            row["alpha2"],
            row["numeric"],
            row["name"],
            row["kind"],
            row["continent"],
            tuple(alias for alias in row["aliases"].split("; ") if alias),
        )
        for row in rows
    }


def find_country(name: str) -> Country:
    """The country of a code, a name or an alias, whatever the case, accents and hyphens.

    Raises :class:`UnknownNameError`, with the nearest names, where there is none, and where a name
    could be several countries' ("Korea").
    """
    found = known_country(name)
    if found is None:
        hint = "`bbalign countries` lists them all."
        raise UnknownNameError("country", name, suggestions(name), hint)
    return found


def known_country(name: str) -> Country | None:
    """The country of :func:`find_country`; None where that finds none."""
    asked = fold(name)
    if _is_short(asked) and not name.strip().isupper():  # Nga is Russia in Vietnamese, NGA Nigeria
        found = _in_other_languages().get(_exact(name))
        if found is not None or not name.isascii():
            return found
    found = _by_spelling().get(asked)
    if found is None and asked not in _TRAPS:
        others = _in_other_languages()
        found = (
            _by_words().get(_without_form(asked)) or others.get(asked) or others.get(_exact(name))
        )
    return found


@lru_cache
def country_of_number(code: str) -> Country | None:
    """The country of a number of ISO 3166-1, with or without leading noughts."""
    numbers = {c.numeric: c for c in countries().values() if c.numeric}
    return numbers.get(code.zfill(3)) if code.isdecimal() and code.isascii() else None


def meant_by_several(name: str) -> tuple[str, ...]:
    """The names of the countries, or of the one part of a country, that an unclear name may stand for."""
    return _TRAPS.get(fold(name), ())


def suggestions(name: str) -> list[str]:
    """Names of countries that may be meant by an unknown one, the likeliest first."""
    asked = fold(name)
    if asked in _TRAPS:
        return list(_TRAPS[asked])
    if len(asked) == 3:  # a code with two letters exchanged: SUA is SAU
        letters = sorted(asked)
        codes = [code for code in countries() if sorted(code.casefold()) == letters]
        codes.sort(key=lambda code: (code[0].casefold() != asked[0], code))
        if codes:
            return codes[:1] if codes[0][0].casefold() == asked[0] else codes
    spellings = [c.code for c in countries().values()]
    spellings += [s for c in countries().values() for s in (c.name, *c.aliases)]
    return nearest_names(name, spellings)


@lru_cache
def _by_spelling() -> dict[str, Country]:
    spellings: dict[str, Country] = {}
    # Codes last: where an alias of one country were another one's code, the code wins.
    for country in countries().values():
        spellings.update({fold(s): country for s in (country.name, *country.aliases)})
    for trap in _TRAPS:
        spellings.pop(trap, None)
    for country in countries().values():
        spellings.update({fold(s): country for s in (country.alpha2, country.code) if s})
    return spellings


@lru_cache
def _by_words() -> dict[frozenset[str], Country]:
    """Countries by the words of a name that are no form, where these are one country's alone."""
    found: dict[frozenset[str], Country | None] = {}
    for spelling, country in _by_spelling().items():
        words = _without_form(spelling)
        if words and len(spelling) > 3 and not country.is_region:
            found[words] = country if found.get(words, country) is country else None
    return {words: country for words, country in found.items() if country is not None}


@lru_cache
def _in_other_languages() -> dict[str, Country]:
    with (data_folder() / "country_names.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    named = {name: countries()[r["code"]] for r in rows for name in r["names"].split("; ")}
    return {
        _exact(name) if _is_short(fold(name)) else fold(name): country
        for name, country in named.items()
    }


def _is_short(folded: str) -> bool:
    """Whether a spelling could be a code: then accents and case tell a name from it."""
    return len(folded) <= 3 and folded.isascii()


def _exact(name: str) -> str:
    return unicodedata.normalize("NFC", name.strip())


def _without_form(folded: str) -> frozenset[str]:
    words = frozenset(folded.split())
    return words - _FORM - _FORM_BESIDE if words & _FORM else words


def fold(name: str) -> str:
    """Spelling without case, accents, marks and doubled blanks: 'U.S.A.' and 'usa' are one."""
    bare = unicodedata.normalize("NFKD", name)
    bare = "".join(c for c in bare if not unicodedata.combining(c))
    bare = bare.casefold().replace("’", "'").replace("&", " and ")
    bare = re.sub(r"\b(\w)\.(?=\w\b)", r"\1", bare)  # u.s.a. is one word, south.africa two
    words = re.sub(r"[-_.,()/\[\]‐‑–—]+", " ", bare).split()
    return " ".join("saint" if word == "st" and len(words) > 1 else word for word in words)
