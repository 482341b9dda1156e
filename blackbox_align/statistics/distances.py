"""Scores of answers: how far two distributions lie apart, and whether answers are right.

A name says what is measured and in which unit, because published figures mix them up: a
Jensen-Shannon *divergence* lies in 0..ln 2 nats or 0..1 bits; the *distance* is its square root
(Endres and Schindelin 2003). Durmus et al. (2023) report 1 - distance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import product

import numpy as np
from scipy.special import entr, rel_entr

LN2 = float(np.log(2.0))


@dataclass(frozen=True)
class Metric:
    """A figure as it stands in a table: ``title`` says what is measured and in which unit.

    ``higher_is_better`` is None where neither is. ``over`` names a metric whose mean divides this one's: a
    ratio of means, for a mean of ratios is at the mercy of rows whose denominator is small.
    """

    name: str
    title: str
    higher_is_better: bool | None = None
    over: str = ""


@dataclass(frozen=True)
class DistributionMetric(Metric):
    """A score of predicted against observed distributions: ``function`` takes two (..., width) arrays
    and gives (...).
    """

    function: Callable[[np.ndarray, np.ndarray], np.ndarray] = field(kw_only=True)


def js_divergence(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """(...) Jensen-Shannon divergence in nats, 0..ln 2, of (..., width) distributions (Lin 1991)."""
    p, q = np.asarray(p, np.float64), np.asarray(q, np.float64)
    middle = (p + q) / 2
    twice = rel_entr(p, middle).sum(-1) + rel_entr(q, middle).sum(-1)
    return np.clip(twice / 2, 0.0, LN2)


def js_distance(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """(...) Jensen-Shannon distance: the square root of the divergence in nats, 0..sqrt(ln 2)."""
    return np.sqrt(js_divergence(p, q))


def earth_movers_distance(p: np.ndarray, q: np.ndarray, options: np.ndarray) -> np.ndarray:
    """(...) the work of moving p to q along ordered options, as a share of the whole ladder, 0..1.

    ``options`` (...) is the number of options of every item (two or more); the columns behind them
    hold zeros.
    """
    steps = np.abs(np.cumsum(p, -1) - np.cumsum(q, -1))
    inside = np.arange(steps.shape[-1]) < np.asarray(options)[..., None] - 1
    return np.where(inside, steps, 0.0).sum(-1) / (np.asarray(options) - 1)


def total_variation(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """(...) half the sum of the absolute differences, 0..1."""
    return np.abs(np.asarray(p) - np.asarray(q)).sum(-1) / 2


def entropy(p: np.ndarray) -> np.ndarray:
    """(...) Shannon's entropy in nats, 0 to the logarithm of the number of options."""
    return entr(np.asarray(p, np.float64)).sum(-1)


def variance(p: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """(...) the variance of an answer's code under (..., width) distributions."""
    p = np.asarray(p, np.float64)
    mean = (p * codes).sum(-1)
    return np.asarray((p * (codes - mean[..., None]) ** 2).sum(-1))


def credit(probabilities: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(items,) 1 where the likeliest option is the right one, else 0; a tie shares the 1.

    ``probabilities`` is (items, width), ``right`` (items,) the position of the right option.
    Probabilities that differ by less than float noise (1e-9) are tied.
    """
    p = np.asarray(probabilities, np.float64)
    likeliest = p >= p.max(-1, keepdims=True) - 1e-9
    hit = likeliest[np.arange(len(p)), right]
    return np.where(hit, 1.0 / likeliest.sum(-1), 0.0)


ABSOLUTE_ERROR = Metric("absolute_error_points", "mean absolute error (index points)", False)
EARTH_MOVERS_DISTANCE = Metric(
    "earth_movers_distance", "earth mover's distance (ordered items, share of the scale)", False
)
UNIFORM_VARIATION = Metric(
    "total_variation_of_uniform", "total variation between people and a uniform answer"
)
PEOPLES_VARIANCE = Metric("peoples_variance", "variance of people's answers (ordered items)")
PEOPLES_ENTROPY = Metric("peoples_entropy_nats", "entropy of people's answers (nats)")
# Hu et al. 2025, arXiv 2510.17516: total variation scaled by the mean that a uniform answer has.
SIMBENCH_SCORE = Metric(
    "simbench_score", "SimBench score (0 uniform, 100 people's)", True, UNIFORM_VARIATION.name
)
VARIANCE_RATIO = Metric(
    "variance_ratio",
    "variance over people's (ordered items; 1 is theirs)",
    None,
    PEOPLES_VARIANCE.name,
)
ENTROPY = Metric("entropy_nats", "entropy (nats)")
PEOPLES_SPREAD = Metric("error_of_one_answer", "squared error of one person's answer")
WORTH = Metric("worth_in_people", "worth in people asked at random", True, PEOPLES_SPREAD.name)
"""No mean: see :func:`..statistics.sampling.worth`; what is measured row by row are squared errors."""


def _js_metrics() -> Iterator[DistributionMetric]:
    """Jensen-Shannon's distance and divergence, in nats and bits, as they are and subtracted from 1."""
    ways = (("distance", js_distance, np.sqrt(LN2)), ("divergence", js_divergence, LN2))
    for flipped in (True, False):
        for (kind, far, bit), unit in product(ways, ("nats", "bits")):
            scale = bit if unit == "bits" else 1.0
            yield DistributionMetric(
                f"{'one_minus_' if flipped else ''}js_{kind}_{unit}",
                f"{'1 - ' if flipped else ''}JS {kind} ({unit})",
                flipped,
                function=partial(_scaled, far, scale, flipped),
            )


def _scaled(
    far: Callable[..., np.ndarray], scale: float, flipped: bool, p: np.ndarray, q: np.ndarray
) -> np.ndarray:
    return 1 - far(p, q) / scale if flipped else far(p, q) / scale


DISTRIBUTION_METRICS = {metric.name: metric for metric in _js_metrics()}
