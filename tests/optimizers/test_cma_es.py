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


@pytest.mark.parametrize("dimension, seed", [(6, 0), (6, 1), (320, 0), (320, 1)])
def test_asks_may_split_a_generation_in_any_way(dimension: int, seed: int) -> None:
    """Asks of any size, tells of any part of what is outstanding, in any order: the search goes on,
    draws from no global generator, and gets better, also where pycma compares two candidates of a
    generation to set its step."""
    optimizer = create("cma-diagonal", dimension, np.random.default_rng(seed))
    order, outstanding, losses = np.random.default_rng(seed + 1), [], []
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    while optimizer.told < 2000:
        outstanding += optimizer.ask(int(order.integers(1, optimizer.batch + 4)))
        order.shuffle(outstanding)
        few = int(order.integers(0, len(outstanding) + 1))
        now, outstanding = outstanding[:few], outstanding[few:]
        losses += [float((c.vector - 1) @ (c.vector - 1)) for c in now]
        optimizer.tell(now, [Evaluation(loss) for loss in losses[len(losses) - few :]])
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002
    assert min(losses) < 0.7 * float(np.median(losses[:50]))


def test_single_asks_are_the_search_of_whole_generations() -> None:
    """Asked and told one by one, a generation holds the same vectors as asked at once, from the
    two-point step size of 320 dimensions too."""
    whole, single = (create("cma-diagonal", 320, np.random.default_rng(4)) for _ in range(2))
    for _ in range(5):
        candidates = whole.ask()
        ones = [single.ask(1)[0] for _ in candidates]
        assert all(
            np.array_equal(a.vector, b.vector) for a, b in zip(candidates, ones, strict=True)
        )
        evaluations = [Evaluation(ellipsoid(c.vector)) for c in candidates]
        whole.tell(candidates, evaluations)
        for candidate, evaluation in reversed(list(zip(ones, evaluations, strict=True))):
            single.tell([candidate], [evaluation])
        assert single.es.sigma == pytest.approx(whole.es.sigma, rel=1e-12)
        single.es.sigma = whole.es.sigma  # the order of a sum of losses is all that differs


def test_half_a_comparison_leaves_the_step_size() -> None:
    """Where one of the two candidates that the step size is set by has failed, it stays."""
    optimizer = create("cma-diagonal", 320, np.random.default_rng(0))
    for generation in range(3):
        candidates = optimizer.ask()
        evaluations = [Evaluation(ellipsoid(c.vector)) for c in candidates]
        before = optimizer.es.sigma
        if generation == 2:
            evaluations[1] = Evaluation.failed("timeout")
        optimizer.tell(candidates, evaluations)
        if generation == 2:
            optimizer.tell(more := optimizer.ask(1), [Evaluation(ellipsoid(more[0].vector))])
            assert optimizer.es.countiter == 3 and optimizer.es.sigma == before
        elif generation == 1:
            assert optimizer.es.sigma != before


def test_a_finished_run_does_not_teach_the_next_one() -> None:
    """After a restart candidates of the run before are counted, and not taken for its own."""
    optimizer = create("cma-ipop", 4, np.random.default_rng(0))
    late = optimizer.ask(3)
    while optimizer.regime == "first":
        candidates = optimizer.ask()
        optimizer.tell(candidates, [Evaluation(rastrigin(c.vector)) for c in candidates])
    told, due = optimizer.told, optimizer.batch
    optimizer.tell(late, [Evaluation(rastrigin(c.vector)) for c in late])
    assert (optimizer.told, optimizer.batch) == (told + 3, due)


@pytest.mark.parametrize("name", ["cma", "cma-diagonal", "cma-lra"])
@pytest.mark.parametrize("dimension", [3, 320])
def test_the_smallest_population_searches(name: str, dimension: int) -> None:
    """Four candidates are a generation; fewer are refused."""
    optimizer = create(name, dimension, np.random.default_rng(0), population=4)
    for _ in range(12):
        candidates = optimizer.ask()
        optimizer.tell(candidates, [Evaluation(ellipsoid(c.vector)) for c in candidates])
    with pytest.raises(OptimizerError, match="population must be a whole number of at least 4"):
        create(name, dimension, np.random.default_rng(0), population=3)


def test_bipop_spends_about_as_much_on_small_runs_as_on_large_ones() -> None:
    """The first restart is large, with twice the population; while small runs have spent less, the
    next is small, with a population from the default one up to half of the large one, and a first step
    of a hundredth of the first one or more."""
    optimizer = create("cma-bipop", 4, np.random.default_rng(0), sigma=2.0)
    regimes, sizes, steps = ["first"], [optimizer.generation_size], [optimizer.es.sigma]
    while optimizer.told < 12_000:
        candidates = optimizer.ask()
        spent, es = dict(optimizer.spent), optimizer.es
        optimizer.tell(candidates, [Evaluation(rastrigin(c.vector)) for c in candidates])
        if optimizer.es is not es:
            spent[regimes[-1]] += len(candidates)
            due = "small" if spent["small"] < spent["large"] else "large"
            assert optimizer.regime == due
            regimes.append(optimizer.regime)
            sizes.append(optimizer.generation_size)
            steps.append(optimizer.es.sigma)
    assert regimes[:3] == ["first", "large", "small"] and regimes.count("large") >= 2
    large = [size for size, regime in zip(sizes, regimes, strict=True) if regime == "large"]
    small = [size for size, regime in zip(sizes, regimes, strict=True) if regime == "small"]
    assert large == [8 * 2 ** (n + 1) for n in range(len(large))]
    assert min(small) >= 8 and max(small) <= large[-1] // 2
    for step, regime in zip(steps, regimes, strict=True):
        assert 0.02 <= step < 2.0 if regime == "small" else step == 2.0


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
