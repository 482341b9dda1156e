"""Numbers as people write them: with thousands apart, a percent sign, or the mark of a footnote behind
them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

_THOUSANDS = re.compile(r"([-+]?\d{1,3})((?:[ \u00a0\u202f\u2009'’]\d{3})+)(\.\d+)?")
_COMMAS = re.compile(r"([-+]?\d{1,3})((?:,\d{3})+)(\.\d+)?")
_POINTS = re.compile(r"[1-9]\d{0,2}(\.\d{3})+")
_MARKS = re.compile(
    r"\s*(\[[^\[\]]{1,12}\]|[*†‡§#]+|[¹²³⁰⁴-⁹ᵃ-ᶻ]+|\((est\.?|estimated?|e|a|b|c|\d|[*†‡])\))$",
    re.IGNORECASE,
)
_FLOAT = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)(e[-+]?\d+)?", re.IGNORECASE | re.ASCII)
_ABOUT = re.compile(r"^(~|≈|ca\.|c\.|about)\s*", re.IGNORECASE)


def bare_number(cell: str, *, commas: bool = False) -> str:
    """A cell as ``float`` reads it, without thousands apart, percent sign and marks; as it is, where it is
    no number.

    ``commas`` takes ``1,200`` for 1200, which somewhere else is one and a fifth.
    """
    text = re.sub(r"^[−–](?=[\d.,])", "-", cell.strip())
    bare = _ABOUT.sub("", text)
    while (shorter := _MARKS.sub("", bare)) != bare:
        bare = shorter
    bare = bare.removesuffix("%").rstrip()
    found = _THOUSANDS.fullmatch(bare)
    if not found and (commas or bare.count(",") > 1):
        found = _COMMAS.fullmatch(bare)
    if found:
        bare = found[1] + re.sub(r"\D", "", found[2]) + (found[3] or "")
    return bare if _FLOAT.fullmatch(bare) else text


def points_part_thousands(cells: Sequence[str]) -> bool:
    """Whether the points in numbers of people part thousands: 1.200 stands beside 800, or no number is whole
    otherwise.
    """
    told = [cell.strip() for cell in cells if is_number(cell)]
    pointed = [cell for cell in told if "." in cell]
    if not pointed or not all(_POINTS.fullmatch(cell) for cell in pointed):
        return False
    return len(pointed) < len(told) or all(
        float(cell) < 30 for cell in pointed if cell.count(".") == 1
    )


def amount(cell: str) -> float | None:
    """A number of 0 or more, a percent sign let pass; None for anything else."""
    try:
        value = float(cell.strip().removesuffix("%"))
    except ValueError:
        return None
    return value if 0 <= value < math.inf else None


def is_number(cell: str) -> bool:
    """Whether a cell is a number, however it is written."""
    bare = bare_number(cell, commas=True).replace(",", ".", 1)
    return _FLOAT.fullmatch(bare) is not None
