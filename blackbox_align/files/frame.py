"""The table in the middle of a sheet: without titles above it, notes below it, and heads in two rows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from statistics import median

from .numbers import is_number

Row = tuple[int, list[str]]
"""The cells of a table's row, with the line that it begins on."""

_NOTE = re.compile(
    r"(source|sources|note|notes|data|copyright|\(c\)|©|quelle|anmerkung|fuente|nota|selected|weight|base|www|http|"
    r"[*†‡\[(#])\b|[*†‡©]|\[?\d?[\])]|.{60,}|\S+( \S+){5,}",
    re.IGNORECASE,
)
# What a tool for surveys writes below the text of a question that has one column.
_RESPONSE = frozenset({"response", "open-ended response"})


@dataclass(frozen=True)
class Frame:
    """The rows of a table, heads first, the texts above and below it, and the names of other sheets beside
    it.
    """

    rows: list[Row]
    above: tuple[str, ...] = ()
    below: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()

    def notes(self) -> list[str]:
        """Sentences on the lines that were not read as rows."""
        told = [f"Not read: the sheets {', '.join(self.beside)}."] if self.beside else []
        for where, texts in (("above", self.above), ("below", self.below)):
            if texts:
                listed = " | ".join(text[:80] for text in texts[:4])
                told.append(f"Not read as rows: {len(texts)} lines {where} the table ({listed}).")
        return told


def frame(rows: Sequence[Row]) -> Frame:
    """The table within rows that are not empty.

    A row belongs to it unless it is nearly empty and stands above the heads, or stands at the end and
    reads like a note. Columns without a head and without a cell are left away. Rows of a wrong length
    are left as they are.
    """
    rows = [(line, list(cells)) for line, cells in rows]
    filled = [sum(bool(cell.strip()) for cell in cells) for _, cells in rows]
    if len(rows) < 2 or median(filled) < 2:
        return Frame(rows)
    width = max(
        Counter(len(cells) for _, cells in rows if len(cells) > 1).items(), key=itemgetter(1, 0)
    )[0]
    rows = _without_empty_columns([(line, _widened(cells, width)) for line, cells in rows])
    least = max(2.0, 0.6 * median(count for count in filled if count > 1))
    top = next((n for n, count in enumerate(filled) if count >= least), 0)
    end = _end(rows, filled, top)
    if top and filled[top - 1] > 1:
        first, above = rows[top][1], rows[top - 1][1]
        bare = any(map(is_number, first)) and not any(map(is_number, above))  # heads with gaps
        if (bare and len(above) == len(first)) or len(
            _one_head(rows[top - 1 : end])
        ) < end - top + 1:
            top -= 1
    table = _without_empty_columns(rows[top:end])
    return Frame(_one_head(table), _texts(rows[:top]), _texts(rows[end:]))


def _widened(cells: list[str], width: int) -> list[str]:
    """A lone text among rows of several cells, such as the question of those below, as a row of theirs."""
    return cells + [""] * (width - 1) if len(cells) == 1 and len(cells[0].split()) > 2 else cells


def _texts(rows: Sequence[Row]) -> tuple[str, ...]:
    return tuple(" ".join(cell.strip() for cell in cells if cell.strip()) for _, cells in rows)


def _end(rows: Sequence[Row], filled: Sequence[int], top: int) -> int:
    """Where the notes below the table begin."""
    last = len(rows)
    while last - 1 > top and filled[last - 1] < 2 and rows[last - 1][1][0].strip():
        last -= 1
    for n in range(last, len(rows)):
        line, cells = rows[n]
        gap = line - rows[n - 1][0] > 1 + rows[n - 1][1][0].count("\n")
        if gap or _NOTE.match(cells[0].strip()):
            return n
    return len(rows)


def _without_empty_columns(rows: list[Row]) -> list[Row]:
    width = max(len(cells) for _, cells in rows)
    if any(len(cells) != width for _, cells in rows):
        return rows
    kept = [n for n in range(width) if any(cells[n].strip() for _, cells in rows)]
    return [(line, [cells[n] for n in kept]) for line, cells in rows]


def _one_head(rows: list[Row]) -> list[Row]:
    """Heads in two rows, as merged cells leave them, made into one."""
    if len(rows) < 3:
        return rows
    (line, first), (_, second), *body = rows
    below = ["" if cell.strip().casefold() in _RESPONSE else cell.strip() for cell in second]
    spans = any(not a.strip() and b for a, b in zip(first, below, strict=False))
    responses = any(second) and not any(below)
    if len(first) != len(second) or any(is_number(cell) for cell in below):
        return rows
    if second[0].strip() and (first[0].strip() or not any(cell.strip() for cell in first)):
        return rows
    if not (spans or responses) or not all(
        a.strip() or b for a, b in zip(first[1:], below[1:], strict=True)
    ):
        return rows
    heads, group = [], ""
    for above, name in zip(first, below, strict=True):
        group = above.strip() or group
        whole = f"{group} {name}" if _is_question(group) or below.count(name) > 1 else name
        heads.append(whole if name else above.strip())
    return [(line, heads), *body]


def has_question_mark(text: str) -> bool:
    """Whether a text asks, in any of the scripts that have a mark for it."""
    return re.search("[?？؟՞፧]", text) is not None


def _is_question(text: str) -> bool:
    return text[-1:] in tuple("?？؟") or len(text.split()) > 4
