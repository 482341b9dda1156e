"""CMA-ES: the library's own search, with failures, restarts and noise."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from blackbox_align.errors import OptimizerError
from blackbox_align.optimizers import Evaluation, create

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import cma


def ellipsoid(x: np.ndarray) -> float:
    return float(np.logspace(0, 3, len(x)) @ (x - 1) ** 2)


def rastrigin(x: np.ndarray) -> float:
    return float(10 * len(x) + (x**2 - 10 * np.cos(2 * np.pi * x)).sum())


@pytest.mark.parametrize("diagonal", [False, True])
def test_it_is_pycmas_search_to_the_last_bit(diagonal: bool) -> None:
    """Whole generations give the vectors that pycma gives with the same normal numbers."""
    rng = np.random.default_rng(3)
    options = {"CMA_diagonal": diagonal, "verbose": -9, "verb_log": 0, "seed": math.nan}
    options["randn"] = lambda *shape: rng.standard_normal(shape)
    reference = cma.CMAEvolutionStrategy(np.zeros(6), 1.0, options)
    optimizer = create("cma", 6, np.random.default_rng(3), diagonal=diagonal)
    for _ in range(30):
        expected, candidates = reference.ask(), optimizer.ask()
        assert all(np.array_equal(a, c.vector) for a, c in zip(expected, candidates, strict=True))
        losses = [ellipsoid(x) for x in expected]
        reference.tell(expected, losses)
        optimizer.tell(candidates, [Evaluation(loss) for loss in losses])


def test_failed_candidates_are_resampled() -> None:
    """A generation is complete when enough have succeeded; ask() gives as many as are missing."""
    optimizer = create("cma", 6, np.random.default_rng(0))
    candidates = optimizer.ask()
    failed = [Evaluation.failed("timeout")] * 3
    optimizer.tell(candidates, failed + [Evaluation(ellipsoid(c.vector)) for c in candidates[3:]])
    assert optimizer.es.countiter == 0
    missing = optimizer.ask()
    assert len(missing) == 3
    optimizer.tell(missing, [Evaluation(ellipsoid(c.vector)) for c in missing])
    assert optimizer.es.countiter == 1


def test_a_failed_generation_halves_the_step() -> None:
    """When as many as a generation fail in a row, the search draws back to its mean."""
    optimizer = create("cma", 6, np.random.default_rng(0), sigma=2.0)
    candidates = optimizer.ask()
    optimizer.tell(candidates, [Evaluation.failed("timeout")] * len(candidates))
    assert optimizer.es.sigma == 1.0


@pytest.mark.parametrize("name", ["cma-ipop", "cma-bipop"])
def test_restarts_go_on_where_a_run_is_stuck(name: str) -> None:
    """On a function of many minima the population doubles with a restart, and stop() stays empty."""
    optimizer = create(name, 4, np.random.default_rng(0), sigma=2.0)
    sizes = set()
    while optimizer.told < 6000:
        candidates = optimizer.ask()
        optimizer.tell(candidates, [Evaluation(rastrigin(c.vector)) for c in candidates])
        sizes.add(optimizer.generation_size)
    assert {8, 16} <= sizes and optimizer.stop() == {}
    assert rastrigin(optimizer.recommend().vector) < 2.0


def test_without_restarts_it_says_why_it_stops() -> None:
    """A converged run ends with the library's own reasons."""
    optimizer = create("cma", 4, np.random.default_rng(0))
    while not optimizer.stop():
        candidates = optimizer.ask()
        optimizer.tell(candidates, [Evaluation(ellipsoid(c.vector)) for c in candidates])
    assert set(optimizer.stop()) <= {"tolfun", "tolfunhist", "tolx", "tolstagnation"}
    assert ellipsoid(optimizer.recommend().vector) < 1e-9


@pytest.mark.parametrize("name", ["cma", "cma-ipop", "cma-lra"])
def test_a_full_covariance_of_thousands_is_refused(name: str) -> None:
    """Beyond some thousand dimensions the way out is named."""
    with pytest.raises(OptimizerError, match="cma-diagonal"):
        create(name, 20_000, np.random.default_rng(0))


def test_learning_rate_adaptation_stands_noise() -> None:
    """With noise larger than the slope its mean comes nearer the optimum than plain CMA-ES's."""
    pytest.importorskip("cmaes")
    reached = {}
    for name in ("cma", "cma-lra"):
        optimizer = create(name, 8, np.random.default_rng(1))
        noise = np.random.default_rng(2)
        while optimizer.told < 6000:
            candidates = optimizer.ask()
            losses = [float((c.vector - 1) @ (c.vector - 1)) for c in candidates]
            noisy = [Evaluation(loss + noise.normal(scale=2.0)) for loss in losses]
            optimizer.tell(candidates, noisy)
        reached[name] = float(((optimizer.es.mean - 1) ** 2).sum())
    assert reached["cma-lra"] < reached["cma"]
