"""Target sets from files: tables (CSV, Excel) and JSON, with one row per country.

What looks like a figure and is none is told or asked about, never averaged: see :mod:`.figures`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import DataFileError
from ..files.frame import Frame, Row, has_question_mark
from ..files.missing import is_mark
from ..files.numbers import bare_number, is_number
from ..files.tables import is_binary_table, read_bytes, read_frame, read_text
from .columns import CODES, TIMES, country_columns, index_name, is_net, is_other, plain, twice
from .countries import Country, known_country
from .figures import Cell, check_figures
from .labels import read_labels, unknown_sentence
from .target_json import json_rows

# Columns of a table with a row per country and index: what is measured, and the figure.
_LONG = ("dimension", "index", "indicator", "series_name", "variable", "measure", "scale")
_VALUES = ("value", "score", "figure", "points", "obs_value")
_YEAR = re.compile(r"[\s_.(\[]+(19|20)\d\d[)\]]?\s*$")
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
    framed = _rows(path)
    _whole_rows(path, *framed.rows)
    (top, header), *body = _one_row_per_country(path, _turned(framed.rows))
    named = _country_column(path, top, header)
    notes = framed.notes()
    body = _without_sums(body, named, notes)
    indices, others = _index_columns(path, top, header, body)
    countries, told = _countries(path, header, body, named)
    notes += told
    if not body:
        raise DataFileError(path, None, "there is no row of figures in it.")
    checked = _flagged(header, body, "checked")
    columns: dict[str, list[Cell]] = {}
    for name, n in indices.items():
        texts = _bare_figures([row[n] for _, row in body])
        columns[name] = [
            Cell(line, country, text, line in checked)
            for (line, _), country, text in zip(body, countries, texts, strict=True)
        ]
        marked = [
            row[n].strip()
            for (_, row), text in zip(body, texts, strict=True)
            if text != row[n].strip()
        ]
        if marked:
            listed = ", ".join(marked[:4]) + (", ..." if len(marked) > 4 else "")
            notes.append(f"Read without what stands around the number: {name} ({listed}).")
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


def _bare_figures(cells: Sequence[str]) -> list[str]:
    """The figures of a column without marks of footnotes, and without percent signs where all have one."""
    told = [cell.strip() for cell in cells if not is_mark(cell)]
    percents = all(cell.endswith("%") for cell in told)
    return [cell.strip() if "%" in cell and not percents else bare_number(cell) for cell in cells]


def looks_like_targets(path: Path) -> bool:
    """Whether the columns are those of figures per country, and no country stands there often."""
    (_, header), *body = _turned(_rows(path).rows)
    columns = country_columns(list(header))
    names = {plain(cell) for cell in header}
    measured = _measured(header, body)
    if columns and measured and any(index_name(row[measured[0]]) for _, row in body):
        return True
    if (
        columns
        and measured
        and "obs_value" in names
        and not names & {"question", "option", "answer"}
    ):
        return True  # what statistical offices exchange
    above = read_labels(header[1:])
    told = sum(index_name(cell) is not None for cell in header[1:])  # UA and IND are countries too
    if len(above.found) > max(1, told) and 2 * len(above.found) >= len(header) - 1 - len(
        above.sums
    ):
        return False  # a column per country
    if not columns or names & {"question", "option", "selections", "prompt_question", "share"}:
        return False
    labels = [row[columns[0]] for _, row in body if len(row) == len(header)]
    others = [n for n in range(len(header)) if n not in columns and not is_other(header[n])]
    numbers = [
        n for n in others if any(is_number(row[n]) for _, row in body if len(row) == len(header))
    ]
    known = [n for n in others if index_name(header[n])]
    answers = sum(is_net(header[n]) for n in others) > 1 or any(map(has_question_mark, header))
    answers = answers or {"yes", "no"} <= names
    if not known and numbers and (answers or blocks_of_shares(header, body)):
        return False
    repeated = 2 * len(set(labels)) <= len(labels)
    dated = bool(names & TIMES)
    return bool(known or numbers) and (not repeated or len(known) > 1 or bool(known and dated))


def blocks_of_shares(header: Sequence[str], body: Sequence[Row]) -> list[list[int]]:
    """The columns of the answers to one question, or to each of several that stand side by side.

    In nearly every row they sum to 1 or to 100, as the shares of one country do. Heads of several questions
    begin with each one's name. No blocks where nothing of that kind is there.
    """
    passed = {*country_columns(list(header))}
    left = [
        n
        for n, cell in enumerate(header)
        if n not in passed and plain(cell) not in TIMES and not is_net(cell)
        if not is_other(cell) or plain(cell) == "no"
    ]
    texts = [{n: bare_number(row[n]) for n in left if n < len(row)} for _, row in body]
    rows = [{n: float(t) for n, t in row.items() if is_number(t) and "," not in t} for row in texts]
    rows = [row for row in rows if len(row) > 1]

    def are_whole(block: Sequence[int]) -> bool:
        sums = [math.fsum(row.get(n, 0.0) for n in block) for row in rows]
        whole = [total for total in sums if abs(total - 1) < 0.02 or abs(total - 100) < 2.5]
        return len(whole) > 1 and len(whole) >= 0.8 * len(sums)

    if are_whole(left):
        return [left]
    blocks: list[list[int]] = [[]]
    for n in left:
        blocks[-1].append(n)
        if are_whole(blocks[-1]) and common_opening([header[m] for m in blocks[-1]]):
            blocks.append([])
    return [] if blocks[-1] else blocks[:-1]


def common_opening(heads: Sequence[str]) -> str:
    """What several heads all begin with, up to a mark or a blank; nothing for a head alone."""
    first, *others = (head.strip() for head in heads)
    length = len(first) if others else 0
    while not all(other.startswith(first[:length]) for other in others):
        length -= 1
    return re.sub(r"[^\W_]*$", "", first[:length])


def _rows(path: Path) -> Frame:
    if is_binary_table(read_bytes(path)) or read_text(path).lstrip()[:1] not in ("{", "["):
        return read_frame(path, _TABLE)
    return Frame(json_rows(path))


def _turned(rows: list[Row]) -> list[Row]:
    """A table with a row per index and a column per country, turned; another one as it is."""
    (top, header), *body = rows
    firsts = [row[0] for _, row in body if row]
    known = [index_name(cell) for cell in firsts]
    if (
        len(header) < 3
        or len(known) < 2
        or not all(known)
        or any(len(r) != len(header) for _, r in body)
    ):
        return rows
    columns = zip(*(row for _, row in body), strict=True)
    names, *figures = columns
    turned = [(top, [place, *cells]) for place, cells in zip(header[1:], figures, strict=True)]
    return [(top, ["country", *names]), *turned]


def _without_sums(body: list[Row], named: int, notes: list[str]) -> list[Row]:
    """The rows without those that sum up the others, and without those of units, which are named."""
    sums = read_labels(row[named] for _, row in body).sums
    if sums:
        notes.append(f"Not read, because they sum up other rows: {', '.join(sums)}.")
    units = {
        line: row for line, row in body if not row[named].strip() and not any(map(is_number, row))
    }
    if units:
        first = ", ".join(filter(None, map(str.strip, next(iter(units.values())))))
        notes.append(f"Not read, because they have neither a country nor a figure: {first}.")
    return [
        (line, row) for line, row in body if row[named].strip() not in sums and line not in units
    ]


def _measured(header: Sequence[str], body: Sequence[Row]) -> tuple[int, int] | None:
    """The columns of what is measured and of the figure, in a table with a row per country and index."""
    spelled = [plain(cell) for cell in header]
    values = [n for n, cell in enumerate(spelled) if cell in _VALUES]
    kinds = [spelled.index(name) for name in _LONG if name in spelled]
    whole = [row for _, row in body if len(row) == len(header)]
    varying = [n for n in kinds if len({row[n].strip() for row in whole}) > 1]
    if len(values) != 1 or len(varying) > 1 or not kinds or len(whole) < len(body):
        return None
    return (varying or kinds)[0], values[0]


def _one_row_per_country(path: Path, rows: list[Row]) -> list[Row]:
    """A table with a row per country and index, turned into one with a column per index."""
    (top, header), *body = rows
    measured = _measured(header, body)
    countries = country_columns(list(header))
    if not (countries and measured):
        return rows
    kind, value = measured
    indices = list(dict.fromkeys(row[kind].strip() for _, row in body))
    found: dict[str, tuple[int, dict[str, str]]] = {}
    for line, row in body:
        _, figures = found.setdefault(row[countries[0]].strip(), (line, {}))
        if row[kind].strip() in figures:
            name = f"{row[kind].strip()} of {row[countries[0]].strip()}"
            raise DataFileError(path, line, f"{name} stands here twice{twice(header, body)}.")
        figures[row[kind].strip()] = row[value]
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
    dated = Counter(index for cell in header if (index := index_name(_YEAR.sub("", cell))))
    several = [cell.strip() for cell in header if dated[index_name(_YEAR.sub("", cell)) or ""] > 1]
    if any(map(_YEAR.search, several)):
        raise DataFileError(
            path, line, f"{', '.join(several)} are one index in several years; keep one of them."
        )
    years = [name for name in indices if re.fullmatch(r"(19|20)\d\d(\s*\[.*\])?", name)]
    if years and len(years) == len(indices):
        raise DataFileError(
            path,
            line,
            f"its columns are years ({', '.join(years[:3])}); keep one of them and write into its head what "
            "it measures.",
        )
    if not indices:
        raise DataFileError(path, line, "there is no index column; add PDI, IDV or your own.")
    return indices, others


def _has_figures(column: int, body: Sequence[Row]) -> bool:
    """Whether a column of unknown name holds a number anywhere, or nothing at all."""
    cells = [row[column].strip() for _, row in body]
    told = [cell for cell in cells if not is_mark(cell)]
    # 1,200 and 45 % mean to be numbers: as figures they get a sentence of their own.
    return not told or any(is_number(c) or re.fullmatch(r"[-+]?\d[\d.,' ]*%?", c) for c in told)


def _countries(
    path: Path, header: Sequence[str], body: Sequence[Row], named: int
) -> tuple[list[Country], list[str]]:
    """The country of every row, and notes; all labels that are unknown in one error."""
    spelled = [row[named].strip() for _, row in body]
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
            raise DataFileError(
                path, line, f"{country.name} stands here twice{twice(header, body)}."
            )
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
        country = known_country(row[n])
        if country is not None:
            codes[line] = country
        elif not is_mark(row[n]):
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
