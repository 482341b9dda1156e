"""Which rows of a cross table are answers, and which sum them up or count the people behind them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations

from ..populations.columns import is_net
from ..populations.countries import fold
from ..populations.labels import row_names

# Names of rows and columns that are no answers: numbers of people, and what sums up or averages the
# answers. Words that may be an answer ("all", "average") are not among them.
_PEOPLE = frozenset(
    {
        "n", "base", "unweighted n", "weighted n", "valid n", "unweighted base", "weighted base",
        "number of cases", "sample size", "total n", "n total", "n unweighted", "n weighted",
        "number of respondents", "effective n", "n=", "total (n)", "unweighted count", "weighted count",
        "unweighted", "number of interviews", "n size",
    }
)  # fmt: skip
_SUMS = frozenset(
    {
        "total", "totals", "grand total", "gesamt", "insgesamt", "mean", "median", "standard deviation",
        "std dev", "std deviation", "base mean", "base for mean", "mean score", "total valid",
        "sum total", "row total", "column total",
    }
)  # fmt: skip


def is_sum(label: str) -> bool:
    """Whether an answer's label is that of a total, a mean or a number of people, and of no answer."""
    bare = fold(label).strip("() :=%")
    return bare in people_rows() or bare in sums_up()


@lru_cache
def sums_up() -> frozenset[str]:
    """What rows and columns are called, folded, that sum up or average others."""
    return _SUMS | row_names("total")


@lru_cache
def people_rows() -> frozenset[str]:
    """What rows and columns of numbers of people are called, folded."""
    return _PEOPLE | row_names("people")


def without_nets(
    options: Sequence[str], figures: Sequence[Sequence[float]], people: Sequence[float | None]
) -> list[int]:
    """The places of the options but for those that are called nets, where the others make a whole alone."""
    every = list(range(len(options)))
    rest = [n for n in every if not is_net(options[n])]
    whole = are_whole([figures[n] for n in rest], people) if len(rest) > 1 else []
    return rest if 2 * sum(whole) > len(people) else every


def without_what_is_beside(figures: Sequence[Sequence[float]]) -> list[int]:
    """The places of the options but for one or two without which the others sum to 1 or to 100 everywhere.

    Those are totals and numbers of people, whatever they are called: as large as the others together.
    """
    every, nobody = list(range(len(figures))), [None] * len(figures[0] if figures else ())
    if not nobody or any(are_whole(figures, nobody)):
        return every
    large = [n for n in every if min(figures[n]) > 97 or all(0.97 < f < 1.03 for f in figures[n])]
    for left in (*((n,) for n in large), *combinations(large, 2)):
        rest = [n for n in every if n not in left]
        if len(rest) > 1 and all(are_whole([figures[n] for n in rest], nobody)):
            return rest
    return every


def are_whole(figures: Sequence[Sequence[float]], people: Sequence[float | None]) -> list[bool]:
    """Whether the figures of each label sum to 1, to 100, or to the number of people."""
    sums = [math.fsum(column) for column in zip(*figures, strict=True)]
    return [
        any(abs(total - goal) <= 0.025 * goal for goal in (1.0, 100.0, told or 1.0))
        for total, told in zip(sums, people, strict=True)
    ]


def are_counts(figures: Sequence[Sequence[float]], people: Sequence[float | None]) -> bool:
    """Whether the figures are numbers of people: some are beyond 100, or they sum to the numbers told."""
    sums = [math.fsum(column) for column in zip(*figures, strict=True)]
    told = [abs(n - total) <= 1.5 for n, total in zip(people, sums, strict=True) if n is not None]
    return any(f > 100 for row in figures for f in row) or (len(told) > 0 and all(told))
