"""Prediction-powered inference: a few real answers and many simulated ones, joined without bias.

People's answers decide where the estimate lies, simulated ones how narrow its interval is. The
estimator is PPI++ for shares (Angelopoulos, Duchi & Zrnic 2023, arXiv 2311.01453):

    share = tuning * mean(simulated for others) + mean(real - tuning * simulated for the same)

with the tuning in 0..1 that makes the summed variance least; with 0 the simulation is not used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from ..errors import SpecificationError


@dataclass(frozen=True, eq=False)
class Combined:
    """Shares of options that real and simulated answers give together.

    Parameters
    ----------
    shares, low, high : (options,) the estimate and its interval, which has no bias of the simulation
    real_shares, real_low, real_high : (options,) the same of the real answers alone
    tuning : how much of the simulation is used, 0..1
    worth : the real answers that the simulation stands for: so many more would have narrowed the
        interval as much
    """

    shares: np.ndarray
    low: np.ndarray
    high: np.ndarray
    real_shares: np.ndarray
    real_low: np.ndarray
    real_high: np.ndarray
    tuning: float
    worth: float


def combine(
    real: np.ndarray,
    simulated_same: np.ndarray,
    simulated_others: np.ndarray,
    *,
    confidence: float = 0.95,
) -> Combined:
    """The shares of a population's answers to one question, from real and simulated answers.

    Parameters
    ----------
    real : (n, options) one row a respondent, 1 at the answer that was given
    simulated_same : (n, options) what the committee answers for the very same respondents: rows of 0
        and 1, or shares
    simulated_others : (N, options) what it answers for others of the same population
    confidence : of the interval, by the normal approximation

    A committee that answers alike for everybody of a population tells nobody from anybody, and is
    worth 0 answers: it helps as far as its answers vary with the respondents' own.

    Raises
    ------
    SpecificationError
        Shapes differ, or there are fewer than two real or simulated answers.
    """
    real, same, others = (
        np.asarray(rows, np.float64) for rows in (real, simulated_same, simulated_others)
    )
    if real.ndim != 2 or real.shape != same.shape or others.ndim != 2 or len(others) < 2:
        raise SpecificationError(
            f"Answers of shapes {real.shape}, {same.shape} and {others.shape} do not fit; expected "
            "(n, options), (n, options) for the same respondents, and (N, options)."
        )
    if len(real) < 2 or others.shape[1] != real.shape[1]:
        raise SpecificationError(
            f"There are {len(real)} real answers over {real.shape[1]} options, and simulated ones over "
            f"{others.shape[1]}; at least two are needed, over the same options."
        )
    if not 0 < confidence < 1:
        raise SpecificationError(f"confidence is {confidence}; expected a number such as 0.95.")
    n, m = len(real), len(others)
    tuning = _tuning(real, same, others)
    shares = tuning * others.mean(axis=0) + (real - tuning * same).mean(axis=0)
    variance = (real - tuning * same).var(axis=0) / n + tuning**2 * others.var(axis=0) / m
    alone, alone_variance = real.mean(axis=0), real.var(axis=0) / n
    reach = ndtri((1 + confidence) / 2)
    half, alone_half = reach * np.sqrt(variance), reach * np.sqrt(alone_variance)
    total, alone_total = float(variance.sum()), float(alone_variance.sum())
    worth = n * (alone_total / total - 1) if total > 0 else 0.0
    return Combined(
        shares,
        np.clip(shares - half, 0.0, 1.0),
        np.clip(shares + half, 0.0, 1.0),
        alone,
        np.clip(alone - alone_half, 0.0, 1.0),
        np.clip(alone + alone_half, 0.0, 1.0),
        tuning,
        max(worth, 0.0),
    )


def _tuning(real: np.ndarray, same: np.ndarray, others: np.ndarray) -> float:
    """The tuning of least summed variance (PPI++, example 6.1), cut to 0..1."""
    n, m = len(real), len(others)
    covariance = ((real - real.mean(axis=0)) * (same - same.mean(axis=0))).mean(axis=0).sum()
    pooled = np.concatenate([same, others]).var(axis=0, ddof=1).sum()
    if pooled <= 0:
        return 0.0
    return float(np.clip(covariance / ((1 + n / m) * pooled), 0.0, 1.0))
