"""The step of a search: Levenberg-Marquardt on a model of the residuals, which asks nobody anything.

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


def solve(model: GaussianProcess, radius: float) -> Array:
    """Levenberg-Marquardt on the model within ``radius`` of the centre; (N,) coefficients."""
    beta = np.zeros(len(model.gram))
    damping = 1e-3
    mu, C = model.predict(beta)
    merit = mu @ mu
    for _ in range(12):
        # The shortest step, from the right inverse of J: m is small beside the dimension.
        JJ = C @ model.gram @ C.T
        ridge = (damping * np.trace(JJ) / len(JJ) + 1e-300) * np.eye(len(JJ))
        trial = beta - C.T @ np.linalg.solve(JJ + ridge, mu)  # (1)
        length = np.sqrt(max(trial @ model.gram @ trial, 0.0))
        if length > radius:
            trial *= radius / length
        trial_mu, trial_C = model.predict(trial)
        trial_merit = trial_mu @ trial_mu
        if trial_merit < merit:
            small = merit - trial_merit < 1e-4 * merit
            beta, mu, C, merit = trial, trial_mu, trial_C, trial_merit
            damping = max(0.3 * damping, 1e-6)
            if small:
                break
        else:
            damping *= 8
            if damping > 1e3:
                break
    return beta
