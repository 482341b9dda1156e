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
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from ..errors import DataFileError, SpecificationError, UnknownNameError
from ..files.data import data_folder
from ..files.yaml import read_yaml
from .countries import Country, countries, find_country
from .target_files import looks_like_targets, read_target_table


@dataclass(frozen=True)
class TargetSet:
    """Figures per country for the indices named in ``indices``, in index points.

    ``figures[code]`` holds one float per index, NaN where nothing was published; ``estimates`` are
    the countries whose figures the source itself calls an estimate. ``labels`` are the spellings of
    the source with the code that each was read as, ``notes`` what was left out or read in one of
    several ways.
    """

    name: str
    title: str
    source: str
    note: str
    indices: tuple[str, ...]
    figures: Mapping[str, tuple[float, ...]]
    estimates: frozenset[str] = frozenset()
    labels: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.figures)

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(self.figures)

    def complete(self, indices: Sequence[str] | None = None) -> list[str]:
        """The codes that have a figure for every index that the set has of ``indices``.

        Without an argument it is every index of the set; a survey gives its own, because further
        columns of a file say nothing of who can be fitted.
        """
        columns = [n for n, name in enumerate(self.indices) if indices is None or name in indices]
        return [
            code
            for code, row in self.figures.items()
            if columns and not any(math.isnan(row[n]) for n in columns)
        ]

    def known_countries(self, indices: Sequence[str]) -> list[str]:
        """The codes of the countries (not the regions) with a figure for any of ``indices``."""
        columns = [n for n, name in enumerate(self.indices) if name in indices]
        return [
            code
            for code, row in self.figures.items()
            if not countries()[code].is_region and not all(math.isnan(row[n]) for n in columns)
        ]

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
        rows = [dict(zip(self.indices, self.figures[c], strict=True)) for c in codes or self.codes]
        means = []
        for index in indices:
            known = [row[index] for row in rows if not math.isnan(row.get(index, math.nan))]
            means.append(np.mean(known) if known else math.nan)
        return np.array(means)

    @cached_property
    def sha256(self) -> str:
        """A hash of the figures: two sets with one hash hold the same targets."""
        rows = {code: [repr(value) for value in row] for code, row in sorted(self.figures.items())}
        return hashlib.sha256(json.dumps([self.indices, rows]).encode()).hexdigest()


def target_sets() -> list[TargetSet]:
    """The target sets that ship with the package, the default first."""
    return [load_targets(entry["name"]) for entry in _catalogue()]


def load_targets(name_or_file: str | Path | None = None) -> TargetSet:
    """A target set by name, or from a file; the package's default without an argument.

    A file (CSV, Excel or JSON) has a column ``country`` (or ``code``) and one per index (PDI, IDV,
    "Power distance", ...); any of comma, semicolon and tab separates; an empty cell, ``NA`` or
    ``#NULL!`` is a missing figure. It also reads the public 2015 matrix as downloaded, and the
    comparison tool's JSON.

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
    if Path(text).suffix or "/" in text or Path(text).is_file():
        return read_targets(Path(name_or_file))
    return _packaged(text)


def is_target_file(path: Path) -> bool:
    """Whether a file is a table of figures per country, as far as its columns tell.

    A table with questions or options is none, nor is one in which countries repeat (respondents).
    """
    try:
        return looks_like_targets(path)
    except DataFileError:
        return False


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
    table = read_target_table(path)
    return TargetSet(
        name or path.stem,
        title or f"own targets from {path.name}",
        source or str(path),
        note,
        table.indices,
        table.figures,
        table.estimates,
        table.labels,
        table.notes,
    )
