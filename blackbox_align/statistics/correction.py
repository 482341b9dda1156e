"""The answers of a model set right by a few known ones: a temperature, and a shift for every label.

From shares p of a model come exp(a log p_o + b_o), scaled to sum to 1: a is one over a temperature, b_o is
how much the option at place o is liked too little, in nats. Both are the same for all questions. They are
those with the smallest

    sum_i KL(q_i || softmax(a log p_i + b)) + ((a - 1)^2 + |b|^2) / 2

over the known answers q_i: multinomial logistic regression, which is convex, with a prior that counts as
much as about one question, so that few answers are not followed to the end. Such a correction needs no
prompt and no search, and was found to do better than personas in text (arXiv 2507.00439).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from .baselines import offered

Array = NDArray[np.floating]
Whole = NDArray[np.integer]

LEAST_SHARE = 1e-9  # of a model's answer: below it a logarithm says nothing but that it is small


@dataclass(frozen=True, eq=False)
class Correction:
    """``sharpness`` is a, ``shifts`` (width,) b; see the module."""

    sharpness: float
    shifts: Array

    def __call__(self, answers: Array, sizes: Whole) -> Array:
        """(items, width) corrected, from (items, width) answers of items with ``sizes`` options."""
        return np.asarray(np.exp(_log_shares(answers, sizes, self.sharpness, self.shifts)))


def fit_correction(answers: Array, observed: Array, sizes: Whole, prior: float = 1.0) -> Correction:
    """The correction that brings ``answers`` nearest to what was ``observed``, both (items, width).

    ``prior`` is the weight of what holds it to no correction at all.
    """
    from scipy.optimize import minimize  # here, so that what fits nothing need not wait for it

    width = answers.shape[1]
    there = offered(sizes, width)
    logs = np.where(there, np.log(np.maximum(answers, LEAST_SHARE)), 0.0)
    nothing = np.concatenate([[1.0], np.zeros(width)])

    def loss(at: Array) -> tuple[float, Array]:
        log_p = _log_shares(answers, sizes, at[0], at[1:])
        excess = np.where(there, np.exp(log_p), 0.0) - observed
        far = at - nothing
        value = -np.sum(observed * np.where(there, log_p, 0.0)) + prior * far @ far / 2
        slope = np.concatenate([[np.sum(excess * logs)], excess.sum(0)]) + prior * far
        return float(value), slope

    found = minimize(loss, nothing, jac=True, method="BFGS", options={"gtol": 1e-10}).x
    return Correction(float(found[0]), found[1:])


def _log_shares(answers: Array, sizes: Whole, sharpness: float, shifts: Array) -> Array:
    there = offered(sizes, answers.shape[1])
    scores = sharpness * np.log(np.maximum(answers, LEAST_SHARE)) + shifts
    return np.asarray(log_softmax(np.where(there, scores, -np.inf), axis=-1))
