"""Mixtures by answers: the weights of experts, or of peoples, that answer a few known questions best.

The loss of weights w is the Kullback-Leibler divergence of the known answers from the mixture,

    L(w) = sum_i n_i KL(q_i || sum_k w_k p_ki) + s KL(prior || w),

in nats, summed over known questions i with n_i answers in shares q_i. Minus the logarithm of a
weighted sum is convex in the weights, and so is a sum of such terms with positive factors: L is convex
on the simplex, and strictly so where s > 0. It is the multinomial log-likelihood of the answers with a
Dirichlet prior of strength s about ``prior``, both up to a constant; the prior counts as s answers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from scipy.special import xlogy

from ..errors import SpecificationError

STRENGTH = 1.0
ANSWERS_A_SHARE = 30.0
SMOOTHING = 0.01
_TOLERANCE = 1e-6  # nats an answer that the weights may lie above the best there are
FEW = 3  # questions: below this, drawing them again says nothing of how weights vary


@dataclass(frozen=True, eq=False)
class FittedWeights:
    """Weights fitted to known answers.

    Parameters
    ----------
    weights : (experts,) 1 in sum
    low, high : (experts,) the middle 95 % over draws of the known questions; NaN where not asked
    divergence : nats an answer from the known answers to the mixture
    alone : (experts,) the same to every expert alone
    gap : nats an answer; no weights at all are better than these by more
    questions, answers : how many are known
    """

    weights: np.ndarray
    low: np.ndarray
    high: np.ndarray
    divergence: float
    alone: np.ndarray
    gap: float
    questions: int
    answers: float


@dataclass(frozen=True, eq=False)
class _Known:
    """The known cells: ``counts`` (cells,), ``experts`` (experts, cells), ``question`` (cells,)."""

    counts: np.ndarray
    experts: np.ndarray
    question: np.ndarray
    entropy: np.ndarray  # (questions,): n_i sum_o q_io log q_io, what a divergence adds to a loss
    totals: np.ndarray  # (questions,): answers


def fit_weights(
    profiles: np.ndarray,
    answers: np.ndarray,
    *,
    prior: np.ndarray | None = None,
    strength: float = STRENGTH,
    answers_a_share: float = ANSWERS_A_SHARE,
    smoothing: float = SMOOTHING,
    resamples: int = 0,
    rng: Generator | None = None,
) -> FittedWeights:
    """The weights whose mixture of ``profiles`` is nearest to ``answers``.

    Parameters
    ----------
    profiles : (experts, items, options), every expert's answer shares; NaN or 0 behind the options
    answers : (items, options) counts of people, or shares of a people (fractions that sum to 1); a
        row of NaN or without an answer is unknown
    prior : (experts,) above 0, the weights that no answer at all would leave; even by default
    strength : the answers that the prior counts as; 0 trusts the known answers alone
    answers_a_share : the answers that a row of shares counts as. It is a people's, not a person's, and
        says more than one answer; but a mixture of others fits no people so well that it said as much
        as the thousand who were asked.
    smoothing : the share of an even answer that is mixed into every expert's, for an answer that no
        expert ever gives says little of which expert is near
    resamples : draws of the known questions for the interval; 0 for none
    rng : draws them

    Raises
    ------
    SpecificationError
        Shapes differ, nothing is known, or a setting lies outside of its range.
    """
    profiles, answers = np.asarray(profiles, np.float64), np.asarray(answers, np.float64)
    prior = _checked(profiles, answers, prior, strength, smoothing)
    answers = _counts(answers, answers_a_share)
    if resamples and rng is None:
        raise SpecificationError("An interval is drawn by a generator; give `rng`.")
    known = _known(profiles, answers, smoothing)
    every = np.ones(len(known.totals))
    weights, gap = _minimize(known, every, prior, strength)
    low = high = np.full(len(profiles), np.nan)
    if resamples and rng is not None and len(every) >= FEW:
        even = every / len(every)
        draws = rng.multinomial(len(every), even, size=resamples).astype(np.float64)
        drawn = np.stack([_minimize(known, draw, prior, strength)[0] for draw in draws])
        low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    alone = np.array([_divergence(known, row) for row in np.eye(len(profiles))])
    return FittedWeights(
        weights,
        low,
        high,
        _divergence(known, weights),
        alone,
        gap,
        len(every),
        float(known.totals.sum()),
    )


def loss_and_gradient(
    weights: np.ndarray, profiles: np.ndarray, answers: np.ndarray
) -> tuple[float, np.ndarray]:
    """Sum_i n_i KL(q_i || mixture) in nats and its gradient (experts,), without prior or smoothing."""
    profiles, answers = np.asarray(profiles, np.float64), np.asarray(answers, np.float64)
    known = _known(profiles, answers, 0.0)
    mixture = weights @ known.experts
    ratio = known.counts / mixture
    loss = known.entropy.sum() - known.counts @ np.log(mixture)
    return float(loss), -known.experts @ ratio


def _checked(
    profiles: np.ndarray,
    answers: np.ndarray,
    prior: np.ndarray | None,
    strength: float,
    smoothing: float,
) -> np.ndarray:
    """The prior, 1 in sum, after what can be wrong was found to be right."""
    if profiles.ndim != 3 or len(profiles) == 0 or profiles.shape[1:] != answers.shape:
        raise SpecificationError(
            f"Profiles of shape {profiles.shape} do not fit answers of shape {answers.shape}; "
            "expected (experts, items, options) and (items, options)."
        )
    if np.nanmin(profiles, initial=0.0) < 0 or np.nanmin(answers, initial=0.0) < 0:
        raise SpecificationError("A share or a count is below 0; answers are counts or shares.")
    if not strength >= 0 or not 0 <= smoothing < 1:
        raise SpecificationError(
            f"strength is {strength} and smoothing {smoothing}; expected 0 or more, and 0 to below 1."
        )
    if prior is None:
        return np.full(len(profiles), 1 / len(profiles))
    prior = np.asarray(prior, np.float64)
    if prior.shape != (len(profiles),) or not (prior > 0).all():
        raise SpecificationError(
            f"The prior has shape {prior.shape}; expected a number above 0 for each of the "
            f"{len(profiles)} experts."
        )
    return prior / prior.sum()


def _counts(answers: np.ndarray, answers_a_share: float) -> np.ndarray:
    """(items, options) with rows of shares as counts; a lone 1 is one person's answer."""
    sums = np.nan_to_num(answers).sum(axis=1, keepdims=True)
    is_share = np.isclose(sums, 1.0, atol=0.02) & (np.nan_to_num(answers) % 1 > 0).any(
        axis=1, keepdims=True
    )
    return np.where(is_share, answers * answers_a_share / np.where(is_share, sums, 1.0), answers)


def _known(profiles: np.ndarray, answers: np.ndarray, smoothing: float) -> _Known:
    options = np.maximum((~np.isnan(profiles)).all(axis=0).sum(axis=1), 1)
    filled = np.nan_to_num(profiles)
    totals = np.nan_to_num(answers).sum(axis=1)
    asked = (filled.sum(axis=2) > 0).all(axis=0)
    rows = np.flatnonzero((np.isfinite(answers).any(axis=1)) & (totals > 0) & asked)
    if len(rows) == 0:
        raise SpecificationError(
            "No question is both answered by people and by every expert; give an answer to one."
        )
    counts = np.nan_to_num(answers[rows])
    question, option = np.nonzero(counts)
    smooth = (1 - smoothing) * filled[:, rows] + smoothing / options[rows][None, :, None]
    cells = smooth[:, question, option]
    if smoothing == 0 and not cells.any(axis=0).all():
        raise SpecificationError(
            "An answer was given that no expert ever gives; a smoothing above 0 allows for it."
        )
    shares = counts / totals[rows, None]
    entropy = totals[rows] * xlogy(shares, shares).sum(axis=1)
    return _Known(counts[question, option], cells, question, entropy, totals[rows])


def _divergence(known: _Known, weights: np.ndarray) -> float:
    loss = known.entropy.sum() - known.counts @ np.log(weights @ known.experts)
    return float(max(loss / known.totals.sum(), 0.0))


def _minimize(
    known: _Known, draw: np.ndarray, prior: np.ndarray, strength: float
) -> tuple[np.ndarray, float]:
    """Weights (experts,) of the least loss, and how far above the least it may lie, nats an answer.

    An interior-point method: the prior is a barrier, which keeps weights off 0, and is followed from
    a strong one down to ``strength``. The gap is Frank and Wolfe's: by convexity,
    L(w) - min L <= max_k (w - e_k) . grad L(w).
    """
    counts = known.counts * draw[known.question]
    total = counts.sum() + strength
    last = max(strength, _TOLERANCE * total)
    weights, barrier = prior, max(total, last)
    while True:
        weights = _newton(known.experts, counts, barrier * prior, weights, _TOLERANCE * total)
        if barrier <= last:
            break
        barrier = max(barrier / 10, last)
    slope = -(known.experts @ (counts / (weights @ known.experts))) - strength * prior / weights
    return weights, max(float(weights @ slope - slope.min()) / total, 0.0)


def _newton(
    experts: np.ndarray,
    counts: np.ndarray,
    barrier: np.ndarray,
    weights: np.ndarray,
    tolerance: float,
) -> np.ndarray:
    """The weights that minimize -counts . log(weights @ experts) - barrier . log(weights), sum 1.

    Damped Newton steps in the ratio of the new weights to the old (Boyd & Vandenberghe 2004, 10.2):
    in it the Hessian stays well conditioned where weights fall to 0.
    """

    from scipy.linalg import cho_factor, cho_solve  # here, so that what mixes nothing need not wait

    def loss(at: np.ndarray) -> float:
        return float(-(counts @ np.log(at @ experts)) - barrier @ np.log(at))

    for _ in range(100):
        scaled = weights[:, None] * experts / (weights @ experts)
        slope = -(scaled @ counts) - barrier
        hessian = (scaled * counts) @ scaled.T + np.diag(barrier)
        solved = cho_solve(cho_factor(hessian), np.stack([slope, weights], axis=1))
        # Lagrange: the step, like a difference of weights, sums to 0.
        ratio = solved[:, 1] * (weights @ solved[:, 0]) / (weights @ solved[:, 1]) - solved[:, 0]
        fall = -slope @ ratio
        if fall < 1e-7 * tolerance:
            break
        step, now = 1.0, loss(weights)
        while step > 1e-9:
            new = weights * (1 + step * ratio)
            if (new > 0).all() and loss(new) <= now - 0.1 * step * fall:
                break
            step /= 2
        else:
            break  # rounding leaves nothing to gain
        weights = new / new.sum()
    return weights
