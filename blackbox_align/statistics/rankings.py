"""Which of several methods is better, over independent problems: ranks, tests and effect sizes.

The tests are scipy's. Rows are problems that are independent of one another (a country with a seed),
columns are methods; lower is better, and a target that was not reached is ``inf``, worse than all that was.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Ranking:
    """Mean ranks of the methods (1 is best) and whether they differ at all.

    ``p`` is that of Friedman's test; two methods whose mean ranks differ by less than
    ``critical_difference`` are not told apart at 5 % by Nemenyi's test (Demsar 2006, "Statistical
    comparisons of classifiers over multiple data sets", eq. 2).
    """

    ranks: tuple[float, ...]
    p: float
    critical_difference: float
    problems: int


@dataclass(frozen=True)
class Pair:
    """Methods ``a`` and ``b`` (columns) on the same problems.

    ``p`` is that of Wilcoxon's signed ranks, after Holm's correction over all pairs; ``superiority`` is
    the share of problems on which a is better, ties by half: 0.5 is no difference.
    """

    a: int
    b: int
    p: float
    superiority: float


def rank(values: Array) -> Ranking:
    """Mean ranks, Friedman's test and Nemenyi's critical difference of ``values`` (problems, methods)."""
    from scipy import stats

    values = _finite(values)
    problems, methods = values.shape
    ranks = stats.rankdata(values, axis=1).mean(axis=0)
    p = float("nan")
    if methods > 2 and problems > 1 and np.ptp(values, axis=1).any():
        p = float(stats.friedmanchisquare(*values.T).pvalue)
    q = float(stats.studentized_range.ppf(0.95, methods, np.inf)) / np.sqrt(2)
    difference = q * np.sqrt(methods * (methods + 1) / (6 * problems))
    return Ranking(tuple(map(float, ranks)), p, float(difference), problems)


def compare_pairs(values: Array) -> list[Pair]:
    """Every pair of methods of ``values`` (problems, methods), Wilcoxon's test with Holm's correction."""
    from scipy import stats

    values = _finite(values)
    found = []
    for a, b in combinations(range(values.shape[1]), 2):
        difference = values[:, a] - values[:, b]
        p = float(stats.wilcoxon(difference).pvalue) if difference.any() else 1.0
        wins = float(np.mean((difference < 0) + 0.5 * (difference == 0)))
        found.append((a, b, p, wins))
    corrected = _holm([p for _, _, p, _ in found])
    return [Pair(a, b, p, wins) for (a, b, _, wins), p in zip(found, corrected, strict=True)]


def _holm(p_values: list[float]) -> list[float]:
    """Holm's step-down correction (Holm 1979): the k-th smallest of m is multiplied by m - k + 1."""
    order = np.argsort(p_values)
    corrected, worst = [0.0] * len(p_values), 0.0
    for step, which in enumerate(order):
        worst = max(worst, min(1.0, (len(p_values) - step) * p_values[which]))
        corrected[which] = worst
    return corrected


def _finite(values: Array) -> Array:
    """Unreached targets as one value above all that was reached: ranks are the same, differences exist."""
    values = np.asarray(values, float)
    known = values[np.isfinite(values)]
    beyond = 2 * float(known.max()) + 1 if len(known) else 1.0
    return np.where(np.isfinite(values), values, beyond)
