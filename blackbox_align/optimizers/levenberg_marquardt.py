"""The step of a search: Levenberg-Marquardt on a model of the residuals, which asks nobody anything.

The damping is what makes a step as long as it may be (Moré 1978, "The Levenberg-Marquardt algorithm"), so
that a goal that is far away is approached where the residuals fall most, not along a scaled-down
Gauss-Newton step, which is nearly all spent on what hardly moves.

>>> import numpy as np
>>> from blackbox_align.optimizers.gaussian_process import fit
>>> Z = np.random.default_rng(0).standard_normal((20, 2))
>>> model = fit(Z @ Z.T, Z - [0.5, 0.2], scale=4.0, noise=1e-8)
>>> bool(abs(solve(model, radius=3.0) @ Z - [0.5, 0.2]).max() < 0.01)
True
"""

from __future__ import annotations

import numpy as np

from blackbox_align.optimizers.base import Array
from blackbox_align.optimizers.gaussian_process import GaussianProcess

TRIALS = 12
NEARLY = 1.05  # how much longer than it may be a step can come out
TINY = 1e-300


def solve(model: GaussianProcess, radius: float) -> Array:
    """Levenberg-Marquardt on the model within ``radius`` of the centre; (N,) coefficients."""
    beta = np.zeros(len(model.gram))
    least, reach = 1e-3, radius
    mu, C = model.predict(beta)
    merit = mu @ mu
    for _ in range(TRIALS):
        # The shortest step, from the right inverse of J: m is small beside the dimension.
        values, U = np.linalg.eigh(C @ model.gram @ C.T)
        values, along = np.maximum(values, 0.0), U.T @ mu
        ridge = damping(values, along, reach, least * values.mean() + TINY)
        trial = beta - C.T @ (U @ (along / (values + ridge)))  # (1)
        length = np.sqrt(max(trial @ model.gram @ trial, 0.0))
        if length > radius:
            trial *= radius / length
        trial_mu, trial_C = model.predict(trial)
        trial_merit = trial_mu @ trial_mu
        if trial_merit < merit:
            small = merit - trial_merit < 1e-4 * merit
            beta, mu, C, merit = trial, trial_mu, trial_C, trial_merit
            least = max(0.3 * least, 1e-6)
            if small:
                break
        else:
            step = np.sqrt(np.sum(values * (along / (values + ridge)) ** 2))
            reach = 0.5 * min(reach, step)
    return beta


def damping(values: Array, along: Array, reach: float, least: float) -> float:
    """The least damping, ``least`` or more, of a step no longer than ``reach``.

    ``values`` (m,) are the eigenvalues of J J^T and ``along`` (m,) the residuals along its eigenvectors.
    Newton's iteration on 1 / length, which comes from below and needs few rounds (Moré 1978, equation 5.5).
    """
    ridge = least
    for _ in range(50):
        terms = values * (along / (values + ridge)) ** 2
        squared = terms.sum()
        length = np.sqrt(squared)
        if length <= NEARLY * reach:
            break
        ridge += (length / reach - 1.0) * squared / (terms / (values + ridge)).sum()
    return float(ridge)
