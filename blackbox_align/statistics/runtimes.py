"""How many evaluations searches need until a target, whether or not all of them reach it.

A search that ends without the target says only that it would have needed more than it spent; a mean over
the lucky ones would reward giving up. The expected running time counts both (Hansen et al. 2021, "COCO: a
platform for comparing continuous optimizers in a black-box setting", sec. 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Runtime:
    """An expected running time with its 95 % interval, in evaluations; inf where no search reached it."""

    value: float
    low: float
    high: float
    reached: int
    runs: int


def evaluations_to(best: Array, target: float) -> int | None:
    """Evaluations until the best loss so far, ``best`` (n,), is at most ``target``; None if it never is."""
    hits = np.flatnonzero(np.asarray(best) <= target)
    return int(hits[0]) + 1 if len(hits) else None


def expected_running_time(spent: Array, reached: Array) -> float:
    """ERT: evaluations of all searches until they end or reach the target, over those that reach it.

    Parameters
    ----------
    spent : (runs,) evaluations until the target, or all of them where it was not reached
    reached : (runs,) bool
    """
    hits = int(np.sum(reached))
    return float(np.sum(spent)) / hits if hits else float("inf")


def estimate_running_time(
    spent: Array,
    reached: Array,
    group: Sequence[object],
    rng: np.random.Generator,
    *,
    resamples: int = 2000,
) -> Runtime:
    """ERT with the middle 95 % of its bootstrap over searches, drawn within each ``group`` (runs,).

    A draw in which no search reaches the target counts as infinite.
    """
    spent, reached = np.asarray(spent, float), np.asarray(reached, bool)
    names = list(dict.fromkeys(group))
    members = [np.flatnonzero([one == name for one in group]) for name in names]
    drawn = np.concatenate(
        [rows[rng.integers(0, len(rows), (resamples, len(rows)))] for rows in members], axis=1
    )
    hits = reached[drawn].sum(axis=1)
    totals = spent[drawn].sum(axis=1)
    draws = np.where(hits > 0, totals / np.maximum(hits, 1), np.inf)
    low, high = np.quantile(draws, [0.025, 0.975], method="nearest")
    value = expected_running_time(spent, reached)
    return Runtime(value, float(low), float(high), int(reached.sum()), len(spent))


def share_reached(needed: Array, budgets: Array) -> Array:
    """(budgets,): the share of all pairs of search and target that were reached within a budget.

    ``needed`` holds the evaluations of every pair, inf where the target was not reached: an empirical
    distribution of running times over several targets.
    """
    ordered = np.sort(np.asarray(needed, float).ravel())
    return np.searchsorted(ordered, np.asarray(budgets, float), side="right") / len(ordered)


def ratio_of_running_times(
    pairs: Array, group: Sequence[object], rng: np.random.Generator, *, resamples: int = 2000
) -> tuple[float, float, float]:
    """ERT of one method over that of another on the same problems, with its 95 % interval.

    Parameters
    ----------
    pairs : (problems, 4): spent and reached (0 or 1) of the one, then of the other
    group : (problems,) problems are drawn within these, both methods' at once
    """
    if not len(pairs):
        return float("nan"), float("nan"), float("nan")
    names = list(dict.fromkeys(group))
    members = [np.flatnonzero([one == name for one in group]) for name in names]
    drawn = np.concatenate(
        [rows[rng.integers(0, len(rows), (resamples, len(rows)))] for rows in members], axis=1
    )
    sums = pairs[drawn].sum(axis=1)

    def ratio(total: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            return (total[..., 0] / total[..., 1]) / (total[..., 2] / total[..., 3])

    draws = ratio(sums)
    # Neither reached it in this draw: it says nothing of which is faster.
    draws = np.where(np.isnan(draws), np.inf, draws)
    low, high = np.quantile(draws, [0.025, 0.975], method="nearest")
    return float(ratio(pairs.sum(axis=0))), float(low), float(high)
