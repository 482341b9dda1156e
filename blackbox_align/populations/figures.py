"""Index figures as they stand in cells: what is missing, what is a code, what cannot be meant."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from ..errors import DataFileError
from ..files.missing import is_mark, is_missing_code
from .columns import HOFSTEDE
from .countries import Country

# Published figures of the six indices lie between 4 and 112; raw scores reach 300 at most.
_PLAUSIBLE = (-150.0, 250.0)
# The figures of 0 that were published.
_ZERO = frozenset({("IVR", "PAK"), ("IVR", "EGY"), ("LTO", "PRI")})
# A figure so many times the spread of the others away from their middle is asked about.
_FAR = 10.0


@dataclass(frozen=True)
class Cell:
    """One cell of a table of targets; ``checked`` where the row says that its figures are meant."""

    line: int
    country: Country
    text: str
    checked: bool = False


def check_figures(
    path: Path, columns: Mapping[str, Sequence[Cell]]
) -> tuple[dict[str, list[float]], list[str]]:
    """The figures of each index, NaN where missing, and what was read as missing.

    Raises
    ------
    DataFileError
        A cell is no number, looks like a missing code or lies far outside of the others; or all
        figures of Hofstede's indices, or of an index of one's own, lie between 0 and 1.
    """
    values = {
        name: [_figure(path, name, cell) for cell in cells] for name, cells in columns.items()
    }
    told = _codes(columns, values)
    _ask_about_zeros(path, columns, values)
    _refuse_units(path, columns, values)
    for name, cells in columns.items():
        _ask_about_strange(path, name, cells, values[name])
    listed = ", ".join(told[:8]) + (", ..." if len(told) > 8 else "")
    return values, [f"Read as missing, because these are codes: {listed}."] if told else []


def _figure(path: Path, index: str, cell: Cell) -> float:
    if is_mark(cell.text):
        return math.nan
    try:
        value = float(cell.text)
    except ValueError:
        value = math.inf
    if not math.isfinite(value) or "_" in cell.text:
        raise DataFileError(
            path,
            cell.line,
            f"{index} is {cell.text.strip()!r}, not a number; write one such as 64.5, leave the cell "
            "empty if it is missing, or remove the column if it is no index.",
        )
    return value


def _ask_about_zeros(
    path: Path, columns: Mapping[str, Sequence[Cell]], values: Mapping[str, Sequence[float]]
) -> None:
    """Refuse a 0 in Hofstede's indices, which copies print for a missing figure, but for those published.

    Where something else marks a missing figure, a 0 is one.
    """
    if any(math.isnan(v) for name in columns if name in HOFSTEDE for v in values[name]):
        return
    zeros = [
        (cell, name)
        for name, cells in columns.items()
        for cell, value in zip(cells, values[name], strict=True)
        if name in HOFSTEDE and value == 0 and not cell.checked
        if (name, cell.country.code) not in _ZERO
    ]
    if zeros:
        listed = ", ".join(f"{name} of {cell.country.name}" for cell, name in zeros[:6])
        raise DataFileError(
            path,
            zeros[0][0].line,
            f"{len(zeros)} figures are 0, which some copies print for a missing one ({listed}). Leave the "
            "cell empty if it is missing; if it is meant, write yes in this row under a column 'checked'.",
        )


def _codes(columns: Mapping[str, Sequence[Cell]], values: dict[str, list[float]]) -> list[str]:
    """Take codes out of Hofstede's indices, where they can be no figures; say which."""
    told = []
    for name, cells in columns.items():
        for n, cell in enumerate(cells):
            value = values[name][n]
            beyond = value < 0 or value > _PLAUSIBLE[1]
            if name in HOFSTEDE and beyond and is_missing_code(value) and not cell.checked:
                told.append(f"{name} of {cell.country.name} ({cell.text.strip()})")
                values[name][n] = math.nan
    return told


def _refuse_units(
    path: Path, columns: Mapping[str, Sequence[Cell]], values: Mapping[str, list[float]]
) -> None:
    if any(cell.checked for cells in columns.values() for cell in cells):
        return
    known = [v for name in columns if name in HOFSTEDE for v in values[name] if not math.isnan(v)]
    if _are_fractions(known):
        raise DataFileError(
            path,
            None,
            f"all figures lie between 0 and 1 ({min(known):g} to {max(known):g}), but index points go "
            "from 0 to about 100; multiply them by 100.",
        )
    tenths = len(known) > 3 and min(known) >= 0 and max(known) <= 10
    if tenths and any(not value.is_integer() for value in known):
        raise DataFileError(
            path,
            None,
            f"all figures lie between 0 and 10 ({min(known):g} to {max(known):g}), but index points go "
            "from 0 to about 100. Multiply them by 10 if they are points of 10; means of another scale "
            "(GLOBE, which has indices of the same names, go from 1 to 7) are other figures.",
        )
    for name in columns:
        own = [v for v in values[name] if not math.isnan(v)]
        if _are_fractions(own):
            raise DataFileError(
                path,
                None,
                f"all figures of {name} lie between 0 and 1 ({min(own):g} to {max(own):g}). Multiply them "
                "by 100 if the survey's index goes to about 100; if they are meant, write yes under a "
                "column 'checked'.",
            )


def _are_fractions(figures: Sequence[float]) -> bool:
    return (
        len(figures) > 1
        and all(0 <= value <= 1 for value in figures)
        and any(not value.is_integer() for value in figures)
    )


def _ask_about_strange(path: Path, name: str, cells: Sequence[Cell], values: list[float]) -> None:
    for n, (cell, value) in enumerate(zip(cells, values, strict=True)):
        if math.isnan(value) or cell.checked:
            continue
        others = [v for m, v in enumerate(values) if m != n and not math.isnan(v)]
        regular = [v for v in others if not is_missing_code(v)] or others
        if name in HOFSTEDE:
            strange = not _PLAUSIBLE[0] <= value <= _PLAUSIBLE[1]
            code = False
        else:
            strange = False
            code = is_missing_code(value) and _outside(value, regular)
        if len(regular) >= 3:
            least = 10.0 if name in HOFSTEDE else 0.5 * abs(median(regular)) or 1.0
            spread = max(max(regular) - min(regular), least)
            strange = strange or abs(value - median(regular)) > _FAR * spread
        if strange or code:
            what = (
                "looks like a code for a missing value beside the others"
                if code
                else "lies far from the others"
            )
            around = f" (they go from {min(regular):g} to {max(regular):g})" if regular else ""
            raise DataFileError(
                path,
                cell.line,
                f"{name} of {cell.country.name} is {cell.text.strip()}, which {what}{around}. Leave the "
                "cell empty if it is missing; if it is meant, write yes in this row under a column "
                "'checked'.",
            )


def _outside(value: float, others: Sequence[float]) -> bool:
    """Whether a code lies where none of the other figures does."""
    if len(others) < 2:
        return abs(value) >= 66
    low, high = min(others), max(others)
    if value < 0:
        return low >= 0 or value < 2 * low
    return value > 2 * max(abs(low), abs(high))
