"""The step on the model of the residuals: as good as a step of its length can be, and never none."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq

from blackbox_align.optimizers import Evaluation, create
from blackbox_align.optimizers.gaussian_process import GaussianProcess, fit
from blackbox_align.optimizers.levenberg_marquardt import damping, solve

SLOPES = np.array([3.0, 0.1])  # of two outputs, each along a direction of its own


def model_of(goal: float, scale: float) -> tuple[GaussianProcess, np.ndarray]:
    """A model of two outputs with ``SLOPES``, both ``goal`` away, and the inputs that it saw."""
    Z = np.vstack([np.zeros(2), 0.1 * np.random.default_rng(0).standard_normal((20, 2))])
    model = fit(Z @ Z.T, Z * SLOPES - goal, scale=scale, noise=1e-8, kernel="rational")
    assert model is not None
    return model, Z


def test_a_step_to_a_far_goal_is_the_best_of_its_length() -> None:
    """A goal of a hundred radii: the residuals fall as by the exact solution of the least-squares problem
    in the ball, where a scaled-down Gauss-Newton step would go along what moves an output by 0.1 alone."""
    model, Z = model_of(goal=100.0, scale=100.0)
    step = solve(model, radius=1.0) @ Z

    def excess(ridge: float) -> float:
        return float(np.linalg.norm(SLOPES * 100.0 / (SLOPES**2 + ridge)) - 1.0)

    exact = SLOPES * 100.0 / (SLOPES**2 + brentq(excess, 1e-3, 1e6))
    assert np.linalg.norm(step) <= 1.0 + 1e-9
    assert step @ exact / np.linalg.norm(step) == pytest.approx(1.0, abs=0.01)
    fallen = [np.sum((SLOPES * s - 100.0) ** 2) for s in (np.zeros(2), step, exact)]
    assert fallen[0] - fallen[1] > 0.99 * (fallen[0] - fallen[2])


def test_a_step_that_the_model_refuses_is_shortened() -> None:
    """Where the model holds for a small part of the radius, and the goal is hundreds of radii away, the step
    ends where it holds, not at nought."""
    model, Z = model_of(goal=1000.0, scale=0.05)
    beta = solve(model, radius=50.0)
    before, after = (np.sum(model.predict(b)[0] ** 2) for b in (np.zeros_like(beta), beta))
    assert after < before and np.linalg.norm(beta @ Z) > 0.01


@pytest.mark.parametrize("reach", [1e-3, 0.5, 3.0, 100.0])
def test_damping_is_the_least_that_keeps_a_step_short_enough(reach: float) -> None:
    """A step is within five percent of its longest, or damped no more than it must be."""
    values, along = np.array([9.0, 1e-2, 0.0]), np.array([10.0, -2.0, 1.0])
    ridge = damping(values, along, reach, least=1e-2)
    length = np.sqrt(np.sum(values * (along / (values + ridge)) ** 2))
    assert length <= 1.05 * reach
    assert ridge == 1e-2 or length >= 0.95 * reach


def test_a_batch_is_never_one_prompt_many_times() -> None:
    """Outputs that hardly move, and a goal thousands of steps away: the candidates of a batch lie apart,
    by a share of the least radius, so that something is learned from them."""
    W = np.random.default_rng(9).standard_normal((6, 40))
    optimizer = create("gauss-newton", 40, np.random.default_rng(0))
    nearest = []
    while optimizer.told < 60:
        candidates = optimizer.ask()
        residuals = [0.1 * np.sin(W @ c.vector / np.sqrt(40)) - 1000.0 for c in candidates]
        optimizer.tell(candidates, [Evaluation(float(abs(r).mean()), r) for r in residuals])
        Z = np.array([candidate.vector for candidate in candidates])
        nearest += [np.linalg.norm(a - b) for n, a in enumerate(Z) for b in Z[:n]]
    assert min(nearest) > 0.1 * optimizer._least_radius()
