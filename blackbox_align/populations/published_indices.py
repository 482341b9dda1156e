"""Target sets from public files of other indices than Hofstede's.

==================  =============================================================================
geo, year, ...      Inglehart and Welzel's two dimensions, one file each; the latest year counts
country_long, ...   Schwartz's seven cultural orientations
Country Name, ...   GLOBE phase 2: nine practices and nine values of societies
==================  =============================================================================

They are targets for a survey that defines indices of the same names (see ``docs/index.md``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

from ..errors import DataFileError
from ..files.missing import is_mark
from ..files.report import Report
from ..files.tables import CsvTable, as_table, read_rows
from .countries import countries, known_country
from .targets import TargetSet

_NOT_INDICES = {
    "geo", "year", "country", "country name", "country cluster", "country_short", "country_long", "comment"
}  # fmt: skip
# How these files spell what the country table has under another name.
_SPELLINGS = {
    "austrialia": "AUS",
    "bosniaherz": "BIH",
    "canada (fr)": "X-CAF",
    "germany e": "X-GEE",
    "switzerland (fr)": "X-SWF",
    "switzerland (ger)": "X-SWG",
    "french switzerland": "X-SWF",
    "south africa (white sample)": "X-SAW",
}


def read_indices(path: Path | str) -> tuple[TargetSet, Report]:
    """A target set from a public file, and the report of what was left out of it and why.

    Labels of a part of a country ("Canada (French)", "South Africa (White Sample)") stay apart
    where the country table has a region for them, and are left out and counted where it has none.

    Raises
    ------
    DataFileError
        The file has another form, a cell that is no number, or no row that can be used.
    """
    path = Path(path)
    table = as_table(path, read_rows(path, "a table with one row per country"))
    columns = table.columns
    spell: Callable[[str], str] = str.strip
    if {"geo", "year"} <= set(columns):
        title, column = "Inglehart and Welzel", "geo"
        spell = _slug
    elif {"country_short", "country_long"} <= set(columns):
        title, column = "Schwartz, cultural value orientations", "country_long"
    elif "country name" in columns:
        title, column = "GLOBE phase 2, societal culture", "country name"
    else:
        raise DataFileError(
            path,
            1,
            "expected the columns of Inglehart and Welzel (geo, year), of Schwartz (country_long) or "
            "of GLOBE (Country Name); `bbalign countries --targets` reads files with 'country'.",
        )
    return _read(table, title, column, spell)


def _read(
    table: CsvTable, title: str, column: str, spell: Callable[[str], str]
) -> tuple[TargetSet, Report]:
    indices = tuple(name for name in table.columns if name not in _NOT_INDICES)
    if not indices:
        raise DataFileError(table.path, 1, "there is no column of figures in it.")
    figures: dict[str, tuple[float, ...]] = {}
    years: dict[str, tuple[float, str]] = {}
    dropped: dict[str, list[str]] = {}
    for line, row in table.records():
        place = f"line {line}"
        code = _code(spell(row[column]))
        if code is None:
            reason = f"no country is known by the label {row[column]!r}"
            dropped.setdefault(reason, []).append(place)
            continue
        values = tuple(_number(table, line, name, row) for name in indices)
        if all(map(math.isnan, values)):
            dropped.setdefault("it has no figure", []).append(place)
            continue
        year = _number(table, line, "year", row) if "year" in row else 0.0
        if code in years and "year" not in row:
            dropped.setdefault("its country stands there before", []).append(place)
            continue
        if code in years:
            old = place if year <= years[code][0] else years[code][1]
            dropped.setdefault(
                "its country has another row of that year or a later one", []
            ).append(old)
            if year <= years[code][0]:
                continue
        figures[code], years[code] = values, (year, place)
    report = Report(
        len(table.rows), len(figures), {k: tuple(v) for k, v in dropped.items()}, unit="rows"
    )
    if not figures:
        raise DataFileError(
            table.path, None, "nothing in it can be used. " + " ".join(report.lines())
        )
    names = tuple(name.upper() if len(indices) == 1 else name for name in indices)
    return TargetSet(table.path.stem, title, str(table.path), "", names, figures), report


def _slug(text: str) -> str:
    return text.replace("_", " ")


def _code(label: str) -> str | None:
    bare = label.strip().casefold()
    country = known_country(label)
    found = _SPELLINGS.get(bare) or (country.code if country else None)
    return found or _run_together().get(bare.replace(" ", ""))


@lru_cache
def _run_together() -> Mapping[str, str]:
    """Names and aliases without blanks: one source writes ``newzealand``."""
    return {
        spelling.casefold().replace(" ", ""): country.code
        for country in countries().values()
        for spelling in (country.name, *country.aliases)
    }


def _number(table: CsvTable, line: int, column: str, row: Mapping[str, str]) -> float:
    cell = row[column].strip()
    if is_mark(cell):
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        value = math.inf
    if not math.isfinite(value):
        raise DataFileError(table.path, line, f"{column} is {cell!r}, not a number.")
    return value
