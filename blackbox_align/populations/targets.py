"""Target sets: published index figures per country, each with its edition and source.

Three editions of the Hofstede indices ship with the package. They disagree (Saudi Arabia's PDI is
95 in one and 72 in another), so a run records which one it used. A figure that is missing stays
missing.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from ..errors import DataFileError, SpecificationError, UnknownNameError
from ..files.tables import read_text, split_table
from ..files.yaml import read_yaml
from ..surveys.loading import data_folder
from .countries import Country, countries, find_country

_MISSING = {"", "na", "n/a", "nan", "null", "#null!", "none", "-", "."}
_TABLE = "a header such as 'country,PDI,IDV,MAS,UAI,LTO,IVR'"


@dataclass(frozen=True)
class TargetSet:
    """Figures per country for the indices named in ``indices``, in index points.

    ``figures[code]`` holds one float per index, NaN where nothing was published; ``estimates`` are
    the countries whose figures the source itself calls an estimate.
    """

    name: str
    title: str
    source: str
    note: str
    indices: tuple[str, ...]
    figures: Mapping[str, tuple[float, ...]]
    estimates: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self.figures)

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(self.figures)

    def complete(self) -> list[str]:
        """The codes that have a figure for every index."""
        return [code for code, row in self.figures.items() if not any(map(math.isnan, row))]

    def target(self, country: Country | str, indices: Sequence[str]) -> np.ndarray:
        """(indices,) float64: one country's figures in the order asked for, NaN where missing.

        Raises
        ------
        UnknownNameError
            The set has no row for this country.
        SpecificationError
            The set shares no index with ``indices``, or the country has no figure for any of them.
        """
        country = country if isinstance(country, Country) else find_country(country)
        if country.code not in self.figures:
            others = [countries()[code].name for code in self.figures]
            raise UnknownNameError(
                f"target in {self.name} for",
                country.name,
                others,
                "`bbalign countries` lists them.",
            )
        row = dict(zip(self.indices, self.figures[country.code], strict=True))
        target = np.array([row.get(index, math.nan) for index in indices])
        if np.isnan(target).all():
            raise SpecificationError(
                f"The target set {self.name} has no figure for {country.name} on any of the "
                f"survey's indices ({', '.join(indices)}); its indices are {', '.join(self.indices)}."
            )
        return target

    def mean(self, indices: Sequence[str]) -> np.ndarray:
        """(indices,) float64: the mean over the countries (not the regions) with a figure."""
        codes = [code for code in self.figures if not countries()[code].is_region]
        rows = np.array([self.figures[code] for code in codes or self.codes])
        known = dict(zip(self.indices, np.nanmean(rows, axis=0), strict=True))
        return np.array([known.get(index, math.nan) for index in indices])

    @cached_property
    def sha256(self) -> str:
        """A hash of the figures: two sets with one hash hold the same targets."""
        rows = {code: [repr(value) for value in row] for code, row in sorted(self.figures.items())}
        return hashlib.sha256(json.dumps([self.indices, rows]).encode()).hexdigest()


def target_sets() -> list[TargetSet]:
    """The target sets that ship with the package, the default first."""
    return [load_targets(entry["name"]) for entry in _catalogue()]


def load_targets(name_or_file: str | Path | None = None) -> TargetSet:
    """A target set by name, or from a CSV file; the package's default without an argument.

    A file has a column ``country`` (or ``code``) and one per index (PDI, IDV, ...); any of comma,
    semicolon and tab separates; an empty cell, ``NA`` or ``#NULL!`` is a missing figure. It also
    reads the public 2015 matrix as downloaded, and the comparison tool's JSON.

    Raises
    ------
    UnknownNameError
        There is no set of that name, and no such file.
    DataFileError
        The file has a mistake; the message names its line and the mend.
    """
    if name_or_file is None:
        return load_targets(_catalogue()[0]["name"])
    text = str(name_or_file)
    if text.endswith((".csv", ".tsv", ".json")) or "/" in text:
        return read_targets(Path(name_or_file))
    return _packaged(text)


@lru_cache
def _catalogue() -> list[dict[str, str]]:
    return read_yaml(data_folder() / "vsm2013" / "targets" / "sets.yaml").value


@lru_cache
def _packaged(name: str) -> TargetSet:
    entries = {entry["name"]: entry for entry in _catalogue()}
    if name not in entries:
        raise UnknownNameError("target set", name, entries, "A file of your own ends in .csv.")
    return read_targets(data_folder() / "vsm2013" / "targets" / f"{name}.csv", **entries[name])


def read_targets(
    path: Path, *, name: str = "", title: str = "", source: str = "", note: str = ""
) -> TargetSet:
    """Read a target file (see :func:`load_targets`) and say where it is from."""
    rows = (
        _json_rows(path) if path.suffix == ".json" else split_table(path, read_text(path), _TABLE)
    )
    header, *body = rows
    columns = [_column(cell) for cell in header[1]]
    country_column = _country_column(path, header, columns)
    index_columns = [
        n for n, c in enumerate(columns) if c not in ("country", "code", "estimate", "skip")
    ]
    if not index_columns:
        raise DataFileError(path, header[0], "there is no index column; add PDI, IDV or your own.")
    for n in index_columns:
        if columns.index(columns[n]) < n:
            message = f"the column {columns[n]} stands here twice; remove one of them."
            raise DataFileError(path, header[0], message)
    figures: dict[str, tuple[float, ...]] = {}
    estimates = set()
    for line, cells in body:
        if len(cells) != len(columns):
            raise DataFileError(
                path,
                line,
                f"{len(cells)} cells where the first line has {len(columns)}; "
                "leave a cell empty where there is no figure, and quote one that holds a separator.",
            )
        spelling = cells[country_column].strip()
        try:
            country = find_country(spelling.rstrip("* "))
        except UnknownNameError as error:
            raise DataFileError(path, line, str(error)) from None
        if country.code in figures:
            raise DataFileError(path, line, f"{country.name} stands here twice; remove one row.")
        figures[country.code] = tuple(
            _figure(path, line, columns[n], cells[n]) for n in index_columns
        )
        flags = [cells[n] for n, c in enumerate(columns) if c == "estimate"]
        if spelling.endswith("*") or any(
            f.strip().casefold() in ("yes", "1", "true") for f in flags
        ):
            estimates.add(country.code)
    if not figures:
        raise DataFileError(path, None, "there is no row of figures in it.")
    return TargetSet(
        name or path.stem,
        title or f"own targets from {path.name}",
        source or str(path),
        note,
        tuple(columns[n] for n in index_columns),
        figures,
        frozenset(estimates),
    )


def _column(cell: str) -> str:
    """Our name of a column: indices in capitals, and the source's own spellings of them."""
    bare = cell.strip()
    own = {
        "ltowvs": "LTO",
        "ctr": "skip",  # the matrix's own codes are not ISO: its names are used instead
        "country": "country",
        "title": "country",
        "code": "code",
        "estimate": "estimate",
    }
    return own.get(bare.casefold(), bare.upper())


def _country_column(path: Path, header: tuple[int, list[str]], columns: list[str]) -> int:
    for name in ("country", "code"):
        if columns.count(name) == 1:
            return columns.index(name)
    seen = ", ".join(repr(cell) for cell in header[1])
    raise DataFileError(
        path, header[0], f"expected one column named 'country' (or 'code'), found {seen}."
    )


def _figure(path: Path, line: int, column: str, cell: str) -> float:
    if cell.strip().casefold() in _MISSING:
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        value = math.inf
    if not math.isfinite(value):
        raise DataFileError(
            path,
            line,
            f"{column} is {cell.strip()!r}, not a number; write one such as 64.5, leave the cell "
            "empty if it is missing, or remove the column if it is no index.",
        )
    return value


def _json_rows(path: Path) -> list[tuple[int, list[str]]]:
    """The comparison tool's JSON as rows: its IVR is under ``ind``.

    The edition of 2022 prints 0 for a missing figure. Later ones print -1 or nothing, and there a 0
    is a figure (Pakistan's IVR).
    """
    indices = {"PDI": "pdi", "IDV": "idv", "MAS": "mas", "UAI": "uai", "LTO": "lto", "IVR": "ind"}
    text = read_text(path)
    try:
        entries = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataFileError(path, error.lineno, f"this is not valid JSON: {error.msg}.") from None
    needed = {"title", *indices.values()}
    rows, place = [(1, ["country", *indices])], 0
    for number, entry in enumerate(entries if isinstance(entries, list) else [entries], start=1):
        if not isinstance(entry, dict) or not needed <= entry.keys():
            keys = ", ".join(sorted(needed))
            raise DataFileError(path, None, f"entry {number} needs the keys {keys}.")
        place = max(place, text.find(str(entry["title"]), place))
        line = text.count("\n", 0, place) + 1
        rows.append((line, [str(entry[key]) for key in ("title", *indices.values())]))
    later = any(cell in ("-1", "", "None") for _, cells in rows for cell in cells)
    missing = {"-1", "None"} if later else {"0"}
    return [(line, ["" if cell in missing else cell for cell in cells]) for line, cells in rows]
