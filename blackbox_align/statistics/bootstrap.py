"""Intervals: how much a mean would vary if other questions had been asked.

Questions are drawn with replacement (Efron 1979), all distributions of a question together, and
the middle 95 % of the means make the interval. Two rows are compared on the same draws.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

_AT_ONCE = 1 << 22  # entries of one table: what memory a block of draws or of values may take


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval over questions; NaN where there is nothing to average."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Bootstrap:
    """Means over questions and groups, with intervals; see :meth:`estimate`.

    Parameters
    ----------
    question : (rows,) int: the question of every row of values
    group : (rows,) int: the country of every row; the mean is taken per group, then over groups
    resamples, seed : the same two give the same intervals
    """

    question: np.ndarray
    group: np.ndarray
    resamples: int = 1000
    seed: int = 0

    def estimate(self, values: np.ndarray, over: np.ndarray | None = None) -> list[Estimate]:
        """The mean and interval of every column of ``values`` (rows, columns); NaN rows are left out.

        A group counts alike whatever its number of rows. A draw without a question of some group
        averages over the others. With ``over``, of the same shape, it is the ratio of the two means, drawn
        again together.
        """
        questions, where = np.unique(self.question, return_inverse=True)
        groups, which = np.unique(self.group, return_inverse=True)
        cells = max(1, len(questions) * len(groups))
        at_once = max(1, _AT_ONCE // cells)
        estimates: list[Estimate] = []
        for start in range(0, values.shape[1], at_once):
            some = values[:, start : start + at_once]
            known = ~np.isnan(some)
            parts = known if over is None else over[:, start : start + at_once]
            known &= ~np.isnan(parts)
            total = np.zeros((len(questions), len(groups), some.shape[1]))
            count = np.zeros_like(total)
            np.add.at(total, (where, which), np.where(known, some, 0.0))
            np.add.at(count, (where, which), np.where(known, parts, 0.0))
            means = _macro(np.ones((1, len(questions))), total, count)[0]
            resampled = np.concatenate(
                [_macro(d, total, count) for d in self._draws(len(questions))]
            )
            estimates += [
                _estimate(mean, row) for mean, row in zip(means, resampled.T, strict=True)
            ]
        return estimates

    def _draws(self, questions: int) -> Iterator[np.ndarray]:
        """(some, questions): how often each question is drawn; the same for every column."""
        rng = np.random.default_rng(self.seed)
        even = np.full(questions, 1 / max(1, questions))
        block = max(1, _AT_ONCE // max(1, questions))
        for start in range(0, self.resamples, block):
            size = min(block, self.resamples - start)
            yield rng.multinomial(questions, even, size=size).astype(np.float64)


def _estimate(mean: float, resampled: np.ndarray) -> Estimate:
    finite = resampled[np.isfinite(resampled)]
    if len(finite) == 0 or not np.isfinite(mean):
        return Estimate(float("nan"), float("nan"), float("nan"))
    low, high = np.percentile(finite, [2.5, 97.5])
    return Estimate(float(mean), float(low), float(high))


def _macro(draws: np.ndarray, total: np.ndarray, count: np.ndarray) -> np.ndarray:
    """(draws, columns): the mean over groups of the means over their drawn questions.

    ``count`` is how many rows a mean is over, or the sums that others are divided by.
    """
    questions, groups, columns = total.shape
    sums = (draws @ total.reshape(questions, -1)).reshape(-1, groups, columns)
    sizes = (draws @ count.reshape(questions, -1)).reshape(-1, groups, columns)
    drawn = sizes > 0
    means = np.where(drawn, sums / np.maximum(sizes, 1e-300), 0.0)
    return means.sum(1) / np.where(drawn.any(1), drawn.sum(1), np.nan)
