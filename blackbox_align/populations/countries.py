"""The country table: ISO 3166 codes, names and aliases, and the regions that target sets hold.

Kosovo has the user-assigned code XKX. Regions and parts of countries have no ISO code; theirs begin
with ``X-``, because some codes in the source of the 2015 matrix (BEN, CAF) are other countries'
ISO codes.
"""

from __future__ import annotations

import csv
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from ..errors import UnknownNameError
from ..surveys.loading import data_folder


@dataclass(frozen=True)
class Country:
    """A country or a region: ``code`` is ISO 3166-1 alpha-3, or ``X-...`` for a region."""

    code: str
    alpha2: str
    name: str
    kind: str
    continent: str
    aliases: tuple[str, ...]

    @property
    def is_region(self) -> bool:
        return self.kind == "region"


@lru_cache
def countries() -> dict[str, Country]:
    """All countries and regions by code."""
    with (data_folder() / "countries.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        row["code"]: Country(
            row["code"],
            row["alpha2"],
            row["name"],
            row["kind"],
            row["continent"],
            tuple(alias for alias in row["aliases"].split("; ") if alias),
        )
        for row in rows
    }


def find_country(name: str) -> Country:
    """The country of a code, a name or an alias, whatever the case and accents.

    Raises :class:`UnknownNameError`, with the nearest names, where there is none.
    """
    found = _by_spelling().get(_fold(name))
    if found is None:
        spellings = [c.code for c in countries().values()]
        spellings += [s for c in countries().values() for s in (c.name, *c.aliases)]
        raise UnknownNameError("country", name, spellings, "`bbalign countries` lists them all.")
    return found


@lru_cache
def _by_spelling() -> dict[str, Country]:
    spellings: dict[str, Country] = {}
    # Codes last: where an alias of one country were another one's code, the code wins.
    for country in countries().values():
        spellings.update({_fold(s): country for s in (country.name, *country.aliases)})
    for country in countries().values():
        spellings.update({_fold(s): country for s in (country.alpha2, country.code) if s})
    return spellings


def _fold(name: str) -> str:
    """Spelling without case, accents, dots and doubled blanks: 'U.S.A.' and 'usa' are one."""
    bare = unicodedata.normalize("NFKD", name)
    bare = "".join(c for c in bare if not unicodedata.combining(c) and c != ".")
    return " ".join(bare.casefold().replace("’", "'").split())
