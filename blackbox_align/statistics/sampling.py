"""Samples of people: how far they lie from the people they were drawn from, and how many answers are worth.

A sample of n people errs, in the sum of squared differences of the shares of one question, by
(1 - sum q^2) / n on average. So answers that err by D are worth n = (1 - sum q^2) / D people, whoever gave
them: asking so many at random would have come as near. (Compare the effective sample size of simulated
answers in arXiv 2502.17773.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

Array = NDArray[np.floating]

_MOST = 1e6  # people: beyond it a sample is the people themselves
_LEAST = 0.01


def sample_shares(shares: Array, people: Array, draws: int, rng: np.random.Generator) -> Array:
    """(draws, rows, width): shares of samples of ``people`` (rows,) from (rows, width) ``shares``."""
    sizes = np.asarray(people).astype(int)
    exact = np.asarray(shares, np.float64)
    exact = exact / exact.sum(-1, keepdims=True)
    return np.asarray(rng.multinomial(sizes, exact, size=(draws, len(sizes))) / sizes[:, None])


@dataclass(frozen=True)
class Worth:
    """As many ``people`` as answers are worth, with a 95 % interval; inf where nothing bounds it."""

    people: float
    low: float
    high: float
    questions: int


def errors_of_shares(answers: Array, observed: Array, people: Array) -> tuple[Array, Array]:
    """(...) squared distances D of ``answers`` from the people, and the error V of one person's answer.

    Both are unbiased where ``observed`` is a sample: what that adds to D is taken off, so that D may be
    below 0.

    Parameters
    ----------
    answers, observed : (..., width) shares
    people : (...) how many were asked; NaN or inf where that is not known, and then ``observed`` counts as
        the whole truth
    """
    n = np.asarray(people, float)
    n = np.where(np.isfinite(n) & (n > 1), n, np.inf)
    spread = (1 - (observed**2).sum(-1)) / (1 - 1 / n)
    return ((answers - observed) ** 2).sum(-1) - spread / n, spread


def worth(errors: Array, spreads: Array) -> Worth:
    """How many people asked at random would come as near as answers that err by ``errors``.

    The estimate is sum V_i / sum D_i over the questions. The interval holds every n for which the mean of
    D_i - V_i / n over questions is not told from 0 by Johnson's t, which allows for the skewness that sums
    of squares have (Johnson 1978, "Modified t tests and confidence intervals for asymmetrical
    populations", eq. 2.6).

    Parameters
    ----------
    errors, spreads : (questions,) D and V of :func:`errors_of_shares`; NaN rows are left out
    """
    here = ~np.isnan(errors) & ~np.isnan(spreads)
    error, spread = errors[here], spreads[here]
    count = len(error)
    if count < 2 or spread.sum() <= 0:
        return Worth(float("nan"), float("nan"), float("nan"), count)
    value = spread.sum() / error.sum() if error.sum() > 0 else float("inf")
    bound = float(stdtrit(count - 1, 0.975))
    grid = np.geomspace(_LEAST, _MOST, 1500)
    outside = np.abs(_johnson(error[:, None] - spread[:, None] / grid)) > bound
    start = min(int(np.searchsorted(grid, value)), len(grid) - 1)
    below, above = np.flatnonzero(outside[:start]), np.flatnonzero(outside[start:])
    # The test bends back far from the estimate: the interval ends where it first tells n from it.
    low = grid[below[-1]] if len(below) else 0.0
    high = grid[start + above[0]] if len(above) else np.inf
    return Worth(float(value), float(low), float(high), count)


def _johnson(rows: Array) -> Array:
    """(columns,) Johnson's modified t of the mean of (rows, columns) being 0."""
    count, mean = len(rows), rows.mean(0)
    apart = rows - mean
    squares = apart * apart
    square, cube = squares.sum(0) / (count - 1), (squares * apart).mean(0)
    square = np.maximum(square, 1e-100)  # rows that are all alike
    shifted = mean + cube / (6 * square * count) + cube * mean**2 / (3 * square**2)
    return np.asarray(shifted / np.sqrt(square / count))
