"""A run drawn in the characters of a terminal: indices as dumbbells, the search as a row of blocks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .screen import say, stdout

if TYPE_CHECKING:
    from ..fitting import Run

_BLOCKS = "▁▂▃▄▅▆▇█"
_WIDTH = 41
# From the one that others may cover to the one that none may; in ASCII where a terminal knows no more.
_MARKS = (("un-prompted", "○", "o"), ("country in text", "□", "t"), ("fitted", "●", "x"),
          ("people", "◆", "#"))  # fmt: skip


def print_pictures(run: Run, code: str) -> None:
    """What the page of a run shows first, as far as a terminal can."""
    from ..results.tables import index_rows

    rows = index_rows(run.result, code)
    unicode = (stdout().encoding or "").lower().startswith("utf")
    marks = [mark if unicode else plain for _, mark, plain in _MARKS]
    if rows:
        values = [
            value for row in rows for value in (*row.points, row.target) if not math.isnan(value)
        ]
        low = min(0.0, 10 * math.floor(min(values) / 10))
        high = max(100.0, 10 * math.ceil(max(values) / 10))
        say("   ".join(f"{mark} {name}" for mark, (name, _, _) in zip(marks, _MARKS, strict=True)))
        for row in rows:
            shown = zip((*row.points, row.target), marks, strict=True)
            say(f"{row.name:>4} {dumbbell(list(shown), low, high)}")
        say(f"{'':>4} {low:<{_WIDTH // 2}g}{high:>{_WIDTH - _WIDTH // 2}g} points")
    best = run.history()["best"].dropna().tolist()
    if best and unicode:
        say(f"\n     {blocks(best)}")
        say(f"     best loss, from {best[0]:.3g} to {best[-1]:.3g} in {len(best):,} evaluations")


def dumbbell(points: list[tuple[float, str]], low: float, high: float) -> str:
    """The marks of one row on a line from ``low`` to ``high``; a later one covers an earlier one."""
    places = [
        (round((value - low) / (high - low) * (_WIDTH - 1)), mark)
        for value, mark in points
        if not math.isnan(value)
    ]
    line = [" "] * _WIDTH
    if places:
        for place in range(min(p for p, _ in places), max(p for p, _ in places) + 1):
            line[place] = "-"
    for place, mark in places:
        line[place] = mark
    return "".join(line)


def blocks(values: list[float]) -> str:
    """A row of at most 41 blocks, as high as the values; on a log scale, where all are above 0."""
    some = values[:: max(1, -(-len(values) // _WIDTH))]
    scaled = [math.log(v) for v in some] if min(some) > 0 else some
    low, high = min(scaled), max(scaled)
    step = (high - low) / (len(_BLOCKS) - 1) or 1.0
    return "".join(_BLOCKS[round((v - low) / step)] for v in scaled)
