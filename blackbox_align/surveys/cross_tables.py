"""Cross tables of one question: countries against answers, as tools for online analysis and toplines print
them.

Either way round: a column per country and a row per answer, or a row per country and a column per
answer. The question stands in a column of its own, or in a line above the table; totals and numbers of
people are known by name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..errors import DataFileError
from ..files.frame import Row, has_question_mark
from ..files.missing import is_mark
from ..files.numbers import bare_number, points_part_thousands
from ..files.tables import CsvTable
from ..populations.columns import TIMES, country_columns, index_name, is_net, is_other, plain, twice
from ..populations.countries import fold
from ..populations.labels import read_labels
from ..populations.target_files import blocks_of_shares, common_opening
from .assembly import RawAnswers
from .non_response import is_missing
from .sums import (
    are_counts,
    are_whole,
    is_sum,
    people_rows,
    sums_up,
    without_nets,
    without_what_is_beside,
)

_QUESTION = ("question", "question_text", "item", "text", "variable")


@dataclass(frozen=True)
class CrossTable:
    """One question: ``figures`` has a row per option and a cell per label; ``people`` and ``lines`` are by
    label.
    """

    question: str
    labels: tuple[str, ...]
    options: tuple[str, ...]
    figures: tuple[tuple[str, ...], ...]
    people: tuple[str, ...]
    lines: tuple[int, ...]


def is_cross_table(table: CsvTable) -> bool:
    """Whether a table has countries on one side and shares of answers, or numbers of people, in its
    cells.
    """
    table = _percents_alone(table)
    return bool(table.rows) and (
        _countries_above(table) or _countries_left(table) is not None or bool(_sides(table))
    )


def read_cross_table(table: CsvTable) -> tuple[list[RawAnswers], list[str]]:
    """The distributions of a cross table, and sentences on what was read in one of several ways.

    :class:`DataFileError` where the question is missing.
    """
    table = _percents_alone(table)
    sides = [] if _countries_above(table) or _countries_left(table) else _sides(table)
    parts = _by_column(table) if _countries_above(table) else []
    parts = parts or [part for side in sides or [table] for part in _by_row(side)]
    rows: list[RawAnswers] = []
    told: dict[str, dict[str, None]] = {"nets": {}, "beside": {}, "few": {}}
    for part in parts:
        figures = _figures(table, part)
        people = [_people(cell) for cell in part.people] or [None] * len(part.labels)
        pointed = points_part_thousands([cell for row in part.figures for cell in row])
        if pointed and not any(are_whole(figures, [None] * len(part.labels))):
            plainly = tuple(tuple(c.replace(".", "") for c in row) for row in part.figures)
            figures = _figures(table, replace(part, figures=plainly))
        kept = without_nets(part.options, figures, people)
        told["nets"] |= {o: None for n, o in enumerate(part.options) if n not in kept}
        answers = without_what_is_beside([figures[k] for k in kept])
        told["beside"] |= {part.options[k]: None for n, k in enumerate(kept) if n not in answers}
        kept = [kept[n] for n in answers]
        told["few"] |= {c.strip(): None for row in part.figures for c in row if _FEW.fullmatch(c)}
        counts = are_counts([figures[k] for k in kept], people)
        for n, label in enumerate(part.labels):
            if all(is_mark(part.figures[k][n]) for k in kept):
                continue
            shares = [figures[k][n] for k in kept]
            total = math.fsum(shares)
            if abs(total - 100) <= 2.5:
                shares = [share / total for share in shares]
            elif not counts and total > 2:
                shares = [share / 100 for share in shares]
            options = tuple(part.options[k] for k in kept)
            place = f"line {part.lines[n]}: {label}"
            rows.append(
                RawAnswers(place, part.question, options, label, tuple(shares), people=people[n])
            )
    notes = {
        "nets": "Not read, because they are no answers but sum them up: {}.",
        "beside": "Not read, because the others are the whole without it: {}.",
        "few": "Read as 0, because they are less than the least figure that is printed: {}.",
    }
    return rows, [notes[what].format(", ".join(seen)) for what, seen in told.items() if seen]


def _figures(table: CsvTable, part: CrossTable) -> list[list[float]]:
    return [
        [_figure(table, part.lines[n], option, cell) for n, cell in enumerate(cells)]
        for option, cells in zip(part.options, part.figures, strict=True)
    ]


def _countries_above(table: CsvTable) -> bool:
    labels = read_labels(table.heads[1:])
    left = read_labels(row[0] for _, row in table.rows if not _YES.fullmatch(row[0].strip()))
    if index_name(table.rows[0][1][0]):
        return False
    if len(left.found) > len(left.unknown) and not _sum_down(
        table
    ):  # countries may be answers, too
        return False
    if 2 * len(labels.found) <= len(table.heads) - 1 - len(labels.sums):
        return False
    rows = [row[1:] for _, row in table.rows if row[1:] != table.heads[1:]]
    figures = [cell for row in rows for cell in row if not is_mark(cell)]
    return len(table.rows) > 1 and sum(_first_number(c) is not None for c in figures) > 0.9 * len(
        figures
    )


def _sum_down(table: CsvTable) -> bool:
    """Whether the figures below each head are the shares of answers, and those of a row are not."""
    rows = [row[1:] for _, row in table.rows if not is_sum(row[0])]
    figures = [[_first_number(cell) or 0.0 for cell in row] for row in rows]
    across = [list(column) for column in zip(*figures, strict=True)]
    return all(are_whole(figures, [None] * len(across))) and not all(
        are_whole(across, [None] * len(figures))
    )


def _countries_left(table: CsvTable) -> tuple[int, list[int]] | None:
    """The column of countries and those of the answers, where the rows are shares or numbers of people."""
    named = country_columns(table.heads)
    place = named[0] if named else 0
    labels = read_labels(row[place] for _, row in table.rows)
    if not named and any(_YES.fullmatch(row[place].strip()) for _, row in table.rows):
        return None
    if len(labels.found) < max(1, len(labels.unknown)):
        return None
    answers = [n for n in range(len(table.heads)) if n not in (place, *named)
               and (not is_other(table.heads[n]) or plain(table.heads[n]) == "no")
               and plain(table.heads[n]) not in {*_QUESTION, *TIMES} and not index_name(table.heads[n])
               and not is_sum(table.heads[n])]  # fmt: skip
    figures = [[_first_number(row[n]) for n in answers] for _, row in table.rows]
    answers = [n for k, n in enumerate(answers) if any(row[k] is not None for row in figures)]
    plainly = [n for n in answers if not is_net(table.heads[n])]
    if len(answers) < 2:
        return None
    figures = [[_first_number(row[n]) for n in plainly] for _, row in table.rows]
    sums = [
        math.fsum(f for f in row if f is not None)
        for row in figures
        if any(f is not None for f in row)
    ]
    totals = [
        n
        for n, head in enumerate(table.heads)
        if fold(head) in sums_up() or fold(head).strip("()") in people_rows()
    ]
    told = [_first_number(row[n]) for _, row in table.rows for n in totals[:1]]
    whole = sum(abs(s - 1) < 0.02 or abs(s - 100) < 2.5 for s in sums) >= 0.8 * len(sums)
    counted = bool(told) and all(
        t is not None and abs(t - s) <= 1.5 for t, s in zip(told, sums, strict=False)
    )
    cells = [row[n] for _, row in table.rows for n in answers]
    paired = all(_PAIR.fullmatch(cell.strip()) for cell in cells)  # 129 (12.9%)
    columns = [[row[k] or 0.0 for row in figures] for k in range(len(plainly))]
    whole = whole or len(without_what_is_beside(columns)) < len(columns)
    return (place, answers) if (whole and len(sums) > 1) or counted or paired else None


def _percents_alone(table: CsvTable) -> CsvTable:
    """The table without the numbers of people (``Chile N``) beside percents (``Chile %``)."""
    named = {head.strip().casefold() for head in table.heads}
    both = [_HALF.fullmatch(head.strip()) for head in table.heads]
    counts = {n for n, half in enumerate(both)
              if half and half["sign"] != "%" and f"{half['label']} %".casefold() in named}  # fmt: skip
    if not counts:
        return table
    kept = [n for n in range(len(both)) if n not in counts]
    heads = [half["label"] if (half := both[n]) else table.heads[n] for n in kept]
    rows = [(line, [row[n] for n in kept]) for line, row in table.rows]
    return replace(table, columns=[head.casefold() for head in heads], heads=heads, rows=rows)


def _sides(table: CsvTable) -> list[CsvTable]:
    """A table of each of several questions that stand side by side; their heads begin with its name."""
    named = country_columns(table.heads)
    blocks = blocks_of_shares(table.heads, table.rows) if named else []
    sides = []
    for block in blocks if len(blocks) > 1 else []:
        opening = common_opening([table.heads[n] for n in block])
        heads = ["country", "question", *(table.heads[n].strip()[len(opening) :] for n in block)]
        question = opening.strip(" _:-–.|")
        rows = [
            (line, [row[named[0]], question, *(row[n] for n in block)]) for line, row in table.rows
        ]
        sides.append(replace(table, columns=[h.casefold() for h in heads], heads=heads, rows=rows))
    return sides


def _by_column(table: CsvTable) -> list[CrossTable]:
    labels = tuple(head.strip() for head in table.heads[1:])
    sums = read_labels(labels).sums
    kept = [n for n, label in enumerate(labels) if label not in sums]
    return [
        CrossTable(
            question,
            tuple(labels[n] for n in kept),
            tuple(row[0].strip() for _, row in answers),
            tuple(tuple(row[n + 1] for n in kept) for _, row in answers),
            tuple(people[n + 1] for n in kept) if people else (),
            tuple(answers[0][0] for _ in kept),
        )
        for question, answers, people in _blocks(table)
    ]


def _blocks(table: CsvTable) -> list[tuple[str, list[Row], list[str]]]:
    """The question, the rows of answers and the row of numbers of people of each block of a table.

    A row without any figure is the question of the rows below it, and the heads may stand there again.
    """
    blocks: list[tuple[str, list[Row]]] = [("", [])]
    for n, (line, row) in enumerate(table.rows):
        below = next((r for _, r in table.rows[n + 1 :]), [])
        bare = row[0].strip() and not any(map(str.strip, row[1:]))
        if bare and any(below[1:]) and not is_sum(row[0]) and not is_missing(row[0]):
            blocks.append((row[0].strip(), []))
        elif row[0].strip() and row[1:] != table.heads[1:]:
            blocks[-1][1].append((line, row))
    found = []
    for question, rows in blocks:
        answers = [(line, row) for line, row in rows if not is_sum(row[0])]
        people = [row for _, row in rows if fold(row[0]).strip("() :") in people_rows()]
        sums = [row for _, row in rows if fold(row[0]) in sums_up() and _are_people(row[1:])]
        if answers:
            title = question or _title(table)
            found.append((title, answers, next(iter(people or sums), [])))
    return found


def _are_people(cells: Sequence[str]) -> bool:
    return all((_people(cell) or 0.0) > 101 for cell in cells)


def _by_row(table: CsvTable) -> list[CrossTable]:
    found = _countries_left(table)
    assert found is not None
    place, answers = found
    sums = read_labels(row[place] for _, row in table.rows).sums
    asked = [n for n, head in enumerate(table.heads) if plain(head) in _QUESTION and n != place]
    people = [n for n, head in enumerate(table.heads) if fold(head).strip("()") in people_rows()]
    parts: dict[str, list[tuple[int, list[str]]]] = {}
    for line, row in table.rows:
        if row[place].strip() not in sums:
            question = row[asked[0]].strip() if asked else ""
            parts.setdefault(question or _title(table), []).append((line, row))
    options = tuple(_PERCENT.sub("", table.heads[n].strip()) for n in answers)
    for rows in parts.values():
        _refuse_twice(table, place, rows)
    return [
        CrossTable(
            question,
            tuple(row[place].strip() for _, row in rows),
            options,
            tuple(tuple(row[n] for _, row in rows) for n in answers),
            tuple(row[people[0]] for _, row in rows) if people else (),
            tuple(line for line, _ in rows),
        )
        for question, rows in parts.items()
    ]


def _refuse_twice(table: CsvTable, place: int, rows: Sequence[tuple[int, list[str]]]) -> None:
    seen: set[str] = set()
    for line, row in rows:
        label = row[place].strip()
        if label in seen:
            raise DataFileError(
                table.path, line, f"{label} stands here twice{twice(table.heads, rows)}."
            )
        seen.add(label)


def _title(table: CsvTable) -> str:
    """The question in the lines above a table: the one with a question mark, else the longest."""
    lines = [
        line.strip()
        for line in (*table.above, table.heads[0])
        if len(line.split()) > 1
        or has_question_mark(line)
        or (not line.isascii() and len(line) > 7)
    ]
    asked = [line for line in lines if has_question_mark(line)]
    if lines:
        return max(asked or lines, key=len)
    raise DataFileError(
        table.path,
        1,
        "this is a table of the answers to one question by country, and the question is missing; "
        "write it in a line above it (or give a table with item, question, option, country and share).",
    )


_YES = re.compile(r"s[ií]|no", re.IGNORECASE)  # Slovenia and Norway where labels are codes
_HALF = re.compile(r"(?P<label>.*\S) \(?(?P<sign>%|n|count|freq\.?)\)?", re.IGNORECASE)
_PERCENT = re.compile(r"^%\s+|\s*(\(%\)|\(in %\)|,? %)$")
_FEW = re.compile(
    r"\s*(<\s*(\d|0?[.,]\d+)\s*%?|\*{1,2})\s*"
)  # "<1", and Pew's "*" for less than 0.5
_PAIR = re.compile(r"\d[\d.,]*\s*%?\s*\(\s*\d[\d.,]*\s*%?\s*\)")
_NUMBER = re.compile(r"\(?\s*([-+]?\d[\d.,' \u00a0\u202f\u2009’]*)\s*%?\s*(\(.*\)|\))?\s*[*†‡]*")


def _people(cell: str) -> float | None:
    """A number of people, of which 1.200 are as many as 1,200: there is no fifth of one."""
    found = re.fullmatch(r"\(?\s*(\d{1,3}(?:\.\d{3})+)\s*\)?", cell.strip())
    return float(found[1].replace(".", "")) if found else _first_number(cell)


def _first_number(cell: str) -> float | None:
    """The number that a cell begins with: 19.7, 19.7 % and 3,600 (100 %); 0 for "<1"."""
    if _FEW.fullmatch(cell):
        return 0.0
    found = _NUMBER.fullmatch(cell.strip())
    bare = bare_number(found[1] if found else cell, commas=True)
    try:
        return float(bare)
    except ValueError:
        return None


def _figure(table: CsvTable, line: int, option: str, cell: str) -> float:
    if is_mark(cell):
        return 0.0
    value = _first_number(cell)
    if value is None or not 0 <= value < math.inf:
        raise DataFileError(
            table.path,
            line,
            f"the figure of {option!r} is {cell.strip()!r}; write a share or a number of people.",
        )
    return value
