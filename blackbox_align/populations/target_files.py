"""Target sets from files: tables (CSV, Excel) and JSON, with one row per country.

What looks like a figure and is none is told or asked about, never averaged: see :mod:`.figures`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DataFileError, UnknownNameError
from ..files.missing import is_mark
from ..files.strict_json import parse_json
from ..files.tables import Row, is_binary_table, read_bytes, read_rows, read_text
from .columns import CODES, HOFSTEDE, country_columns, index_name, is_other, plain
from .countries import Country, find_country
from .figures import Cell, check_figures
from .labels import read_labels, unknown_sentence

# Columns of a table with a row per country and index: what is measured, and the figure.
_LONG = frozenset({"dimension", "index", "indicator", "measure", "variable", "scale"})
_VALUES = frozenset({"value", "score", "figure", "points"})
_TABLE = "a header such as 'country,PDI,IDV,MAS,UAI,LTO,IVR'"


@dataclass(frozen=True)
class TargetTable:
    """What a file of targets holds: figures by country's code, and what was made of the rest."""

    indices: tuple[str, ...]
    figures: Mapping[str, tuple[float, ...]]
    estimates: frozenset[str]
    labels: Mapping[str, str]
    notes: tuple[str, ...]


def read_target_table(path: Path) -> TargetTable:
    """The figures of a file; :class:`DataFileError` with the line and the mend for a mistake."""
    rows = _rows(path)
    _whole_rows(path, *rows)
    (top, header), *body = _one_row_per_country(path, rows)
    named = _country_column(path, top, header)
    indices, others = _index_columns(path, top, header, body)
    countries, notes = _countries(path, header, body, named)
    if not body:
        raise DataFileError(path, None, "there is no row of figures in it.")
    checked = _flagged(header, body, "checked")
    columns = {
        name: [Cell(line, country, row[n], line in checked)
               for (line, row), country in zip(body, countries, strict=True)]
        for name, n in indices.items()
    }  # fmt: skip
    values, more = check_figures(path, columns)
    if others:
        notes.append(f"Not read, because they are no indices: the columns {', '.join(others)}.")
    regions = sorted({country.name for country in countries if country.is_region})
    if regions:
        notes.append(f"Regions, which no mean over countries counts: {', '.join(regions)}.")
    estimated = _flagged(header, body, "estimate")
    return TargetTable(
        tuple(indices),
        {c.code: tuple(values[i][n] for i in indices) for n, c in enumerate(countries)},
        frozenset(
            c.code
            for (line, row), c in zip(body, countries, strict=True)
            if row[named].strip().endswith("*") or line in estimated
        ),
        {row[named].strip(): c.code for (_, row), c in zip(body, countries, strict=True)},
        tuple([*notes, *more]),
    )


def looks_like_targets(path: Path) -> bool:
    """Whether the columns are those of figures per country, and no country stands there often."""
    (_, header), *body = _rows(path)
    columns = country_columns(list(header))
    names = {plain(cell) for cell in header}
    if not columns or names & {"question", "option", "selections", "prompt_question", "share"}:
        return False
    labels = [row[columns[0]] for _, row in body if len(row) == len(header)]
    others = [n for n in range(len(header)) if n not in columns and not is_other(header[n])]
    numbers = [
        n for n in others if any(_is_number(row[n]) for _, row in body if len(row) == len(header))
    ]
    known = [n for n in others if index_name(header[n])]
    return bool(known or numbers) and 2 * len(set(labels)) > len(labels)


def _rows(path: Path) -> list[Row]:
    if is_binary_table(read_bytes(path)) or read_text(path).lstrip()[:1] not in ("{", "["):
        return read_rows(path, _TABLE)
    return _json_rows(path)


def _one_row_per_country(path: Path, rows: list[Row]) -> list[Row]:
    """A table with a row per country and index, turned into one with a column per index."""
    (top, header), *body = rows
    names = [plain(cell) for cell in header]
    kinds = [n for n, name in enumerate(names) if name in _LONG]
    values = [n for n, name in enumerate(names) if name in _VALUES]
    countries = country_columns(list(header))
    if not (countries and len(kinds) == len(values) == 1):
        return rows
    indices = list(dict.fromkeys(row[kinds[0]].strip() for _, row in body))
    found: dict[str, tuple[int, dict[str, str]]] = {}
    for line, row in body:
        _, figures = found.setdefault(row[countries[0]].strip(), (line, {}))
        if row[kinds[0]].strip() in figures:
            name = f"{row[kinds[0]].strip()} of {row[countries[0]].strip()}"
            raise DataFileError(path, line, f"{name} stands here twice; keep one row of them.")
        figures[row[kinds[0]].strip()] = row[values[0]]
    turned = [
        (line, [name, *(figures.get(index, "") for index in indices)])
        for name, (line, figures) in found.items()
    ]
    return [(top, ["country", *indices]), *turned]


def _whole_rows(path: Path, first: Row, *body: Row) -> None:
    _, header = first
    for line, cells in body:
        if len(cells) != len(header):
            raise DataFileError(
                path,
                line,
                f"{len(cells)} cells where the first line has {len(header)}; "
                "leave a cell empty where there is no figure, and quote one that holds a separator.",
            )


def _country_column(path: Path, line: int, header: Sequence[str]) -> int:
    found = country_columns(list(header))
    spelled = [plain(header[n]) for n in found]
    if not found or spelled.count(spelled[0]) > 1:
        seen = ", ".join(repr(cell) for cell in header)
        if sum(not read_labels([cell]).unknown for cell in header[1:]) > 1:
            raise DataFileError(
                path, line, "its columns are countries; turn the table, so that each has a row."
            )
        raise DataFileError(
            path, line, f"expected one column named 'country' (or 'code'), found {seen}."
        )
    return found[0]


def _index_columns(
    path: Path, line: int, header: Sequence[str], body: Sequence[Row]
) -> tuple[dict[str, int], list[str]]:
    """The columns of figures by their index, and the names of the columns that are not read."""
    indices: dict[str, int] = {}
    others: list[str] = []
    countries = set(country_columns(list(header)))
    for n, cell in enumerate(header):
        if n in countries or plain(cell) in ("estimate", "checked", "ctr", ""):
            continue
        known = index_name(cell)
        if known is None and (is_other(cell) or not _has_figures(n, body)):
            others.append(cell.strip())
            continue
        name = known or cell.strip().upper()
        if name in indices:
            earlier = indices[name]
            if any(row[n].strip() != row[earlier].strip() for _, row in body) or not body:
                raise DataFileError(
                    path, line, f"the column {name} stands here twice; remove one of them."
                )
            continue
        indices[name] = n
    if not indices:
        raise DataFileError(path, line, "there is no index column; add PDI, IDV or your own.")
    return indices, others


def _has_figures(column: int, body: Sequence[Row]) -> bool:
    """Whether a column of unknown name holds a number anywhere, or nothing at all."""
    cells = [row[column].strip() for _, row in body]
    told = [cell for cell in cells if not is_mark(cell)]
    # 1,200 and 45 % mean to be numbers: as figures they get a sentence of their own.
    return not told or any(_is_number(c) or re.fullmatch(r"[-+]?\d[\d.,' ]*%?", c) for c in told)


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False


def _countries(
    path: Path, header: Sequence[str], body: Sequence[Row], named: int
) -> tuple[list[Country], list[str]]:
    """The country of every row, and notes; all labels that are unknown in one error."""
    spelled = [row[named].strip().rstrip("* ") for _, row in body]
    labels = read_labels(spelled)
    if labels.doubt:
        raise DataFileError(path, body[0][0], labels.doubt)
    if labels.unknown:
        lines: dict[str, int] = {}
        for (line, _), label in zip(body, spelled, strict=True):
            lines.setdefault(label, line)
        first = min(lines[label] for label in labels.unknown)
        raise DataFileError(path, first, unknown_sentence(labels.unknown, lines))
    countries = [labels.found[label] for label in spelled]
    seen: set[str] = set()
    for (line, _), country in zip(body, countries, strict=True):
        if country.code in seen:
            raise DataFileError(path, line, f"{country.name} stands here twice; remove one row.")
        seen.add(country.code)
    notes = [note for note in labels.notes if "all read as" not in note]
    beside = [n for n in country_columns(list(header)) if n != named and plain(header[n]) in CODES]
    for n in beside:
        notes += _agree(path, header[n].strip(), n, body, countries)
    return countries, notes


def _agree(
    path: Path, column: str, n: int, body: Sequence[Row], countries: Sequence[Country]
) -> Iterator[str]:
    """Check a column of codes beside the names; one of another scheme is not read, and told."""
    codes: dict[int, Country] = {}
    for line, row in body:
        try:
            codes[line] = find_country(row[n])
        except UnknownNameError:
            if not is_mark(row[n]):
                yield (
                    f"Not read: the column {column}, whose codes are not all ISO's "
                    f"({row[n].strip()!r}, line {line}); the names count."
                )
                return
    pairs = [
        (line, row[n].strip(), country)
        for (line, row), country in zip(body, countries, strict=True)
        if line in codes and codes[line] is not country and row[n].strip() != "NA"
    ]
    if pairs:
        listed = "; ".join(
            f"line {line}: {code!r} is {codes[line].name}, the name {country.name}"
            for line, code, country in pairs[:5]
        )
        raise DataFileError(
            path,
            pairs[0][0],
            f"{len(pairs)} of {len(body)} codes in the column {column} contradict the names beside "
            f"them ({listed}); correct them, or remove the column.",
        )


def _flagged(header: Sequence[str], body: Sequence[Row], name: str) -> set[int]:
    """The lines of the rows that say yes in a column of this name."""
    columns = [n for n, cell in enumerate(header) if plain(cell) == name]
    return {
        line
        for line, row in body
        if any(row[n].strip().casefold() in ("yes", "1", "true") for n in columns)
    }


# -- JSON ---------------------------------------------------------------------------------------------------


def _json_rows(path: Path) -> list[Row]:
    """A list of objects, or an object of them by country, as rows.

    The comparison tool's edition of 2022 prints 0 for a missing figure. Later ones print -1 or
    nothing, and there a 0 is a figure (Pakistan's IVR).
    """
    text = read_text(path)
    content = parse_json(path, text)
    entries = _entries(content)
    first = entries[0] if entries and isinstance(entries[0], dict) else {}
    indices = list(dict.fromkeys(key for key in first if index_name(key) or _own(key, first[key])))
    named = [list(first)[n] for n in country_columns(list(first))][:1]
    tool = not indices or not named
    if tool:
        named, indices = ["title"], ["pdi", "idv", "mas", "uai", "lto", "ind"]
    rows: list[Row] = [(1, ["country", *indices])]
    place = 0
    for number, entry in enumerate(entries, start=1):
        needed = {*named, *indices}
        if not isinstance(entry, dict) or not needed <= entry.keys():
            keys = ", ".join(sorted(needed))
            raise DataFileError(path, None, f"entry {number} needs the keys {keys}.")
        label = str(entry[named[0]])
        place = max(place, text.find(label, place))
        line = text.count("\n", 0, place) + 1
        cells = ["" if entry[key] is None else str(entry[key]) for key in indices]
        rows.append((line, [label, *cells]))
    if {index_name(key) for key in indices} >= set(HOFSTEDE) and named == ["title"]:
        later = any(cell in ("-1", "") for _, cells in rows[1:] for cell in cells[1:])
        if not later:
            rows = [rows[0]] + [(n, ["" if c == "0" else c for c in row]) for n, row in rows[1:]]
    return rows


def _own(key: str, value: Any) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and not is_other(key) and not country_columns([key])


def _entries(content: Any) -> list[Any]:
    if isinstance(content, list):
        return content
    if isinstance(content, dict) and content and all(isinstance(v, dict) for v in content.values()):
        return [{"country": key, **value} for key, value in content.items()]
    return [content]
