import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blackbox_align.statistics.runtimes import (
    estimate_running_time,
    evaluations_to,
    expected_running_time,
    ratio_of_running_times,
    share_reached,
)


def test_unsuccessful_searches_count_with_all_they_spent():
    """Worked by hand: 100, 200 and 1,000 evaluations with two successes are 1,300 / 2."""
    assert expected_running_time(np.array([100, 200, 1000]), np.array([True, True, False])) == 650


def test_without_a_success_the_running_time_is_infinite():
    """A target that nobody reached has no finite expectation."""
    assert expected_running_time(np.array([10.0]), np.array([False])) == np.inf


@settings(deadline=None)  # a busy machine is no mistake of the formula
@given(
    st.lists(st.tuples(st.integers(1, 10**6), st.booleans()), min_size=1, max_size=40),
)
def test_it_is_mean_success_plus_failures_by_the_odds(runs):
    """ERT = mean of the successful + (1 - s) / s times the mean of the others (Auger and Hansen 2005)."""
    spent = np.array([n for n, _ in runs], float)
    hit = np.array([ok for _, ok in runs])
    found = expected_running_time(spent, hit)
    if not hit.any():
        assert found == np.inf
        return
    s = hit.mean()
    lost = spent[~hit].mean() if (~hit).any() else 0.0
    assert found == pytest.approx(spent[hit].mean() + (1 - s) / s * lost)


def test_evaluations_are_counted_from_one_and_a_tie_counts_as_reached():
    """The third evaluation that reaches the target exactly makes it 3; above it there is none."""
    assert evaluations_to(np.array([5.0, 4.0, 3.0, 1.0]), 3.0) == 3
    assert evaluations_to(np.array([5.0, 4.0]), 3.0) is None
    assert evaluations_to(np.array([]), 3.0) is None


def test_the_interval_is_drawn_within_groups():
    """Two countries with constant times of their own leave nothing to vary: the interval is a point."""
    spent = np.array([10.0, 10.0, 30.0, 30.0])
    found = estimate_running_time(
        spent, np.ones(4, bool), ["A", "A", "B", "B"], np.random.default_rng(0)
    )
    assert (found.value, found.low, found.high) == (20.0, 20.0, 20.0)


@pytest.mark.parametrize("groups", [[20] * 1, [20, 10, 40, 60]])
def test_the_interval_covers(groups):
    """Of 400 simulated experiments of 40 searches the 95 % interval holds the ERT in 93 to 97 %."""
    rng, cut, seeds = np.random.default_rng(1), 60, 40 // len(groups)
    # Geometric times of mean m, cut: E[spent] is m (1 - (1 - 1/m)^cut), P(reached) the bracket.
    reached = [1 - (1 - 1 / mean) ** cut for mean in groups]
    truth = sum(m * r for m, r in zip(groups, reached, strict=True)) / sum(reached)
    covered = 0
    for _ in range(400):
        times = np.concatenate([rng.geometric(1 / mean, seeds) for mean in groups])
        spent, hit = np.minimum(times, float(cut)), times <= cut
        found = estimate_running_time(
            spent, hit, list(np.repeat(groups, seeds)), rng, resamples=300
        )
        covered += found.low <= truth <= found.high
    assert 0.93 <= covered / 400 <= 0.97


def test_the_interval_over_groups_covers_those_that_were_not_drawn():
    """Sixteen countries of many, each with a mean of its own: drawn as a whole, the interval holds the ERT
    of all 92 to 98 times in 100; drawn within, far too seldom.
    """
    rng, covered = np.random.default_rng(3), {True: 0, False: 0}
    for _ in range(300):
        means = np.repeat(rng.choice([10.0, 40.0], 16), 4)
        spent, hit = rng.geometric(1 / means).astype(float), np.ones(64, bool)
        for whole in covered:
            found = estimate_running_time(
                spent, hit, list(np.repeat(np.arange(16), 4)), rng, resamples=200, of_groups=whole
            )
            covered[whole] += found.low <= 25 <= found.high
    assert 0.92 <= covered[True] / 300 <= 0.98
    assert covered[False] / 300 < 0.85


def test_a_rare_success_leaves_the_upper_end_open():
    """One search of twenty reached it: a third of the draws hold none, so there is no upper end."""
    spent, hit = np.full(20, 100.0), np.arange(20) == 0
    found = estimate_running_time(spent, hit, [0] * 20, np.random.default_rng(0))
    assert found.value == 2000 and found.high == np.inf and 0 < found.low <= 2000
    none = estimate_running_time(spent, hit & False, [0] * 20, np.random.default_rng(0))
    assert (none.value, none.low, none.high) == (np.inf, np.inf, np.inf)


def test_a_ratio_is_of_pairs():
    """Twice as fast on every problem: 0.5, and pairs leave nothing to vary."""
    other = np.random.default_rng(0).integers(10, 90, 12).astype(float)
    pairs = np.stack([other / 2, np.ones(12), other, np.ones(12)], axis=1)
    found = ratio_of_running_times(pairs, [0] * 12, np.random.default_rng(0))
    assert found == pytest.approx((0.5, 0.5, 0.5))
    pairs[:, 1] = 0
    assert ratio_of_running_times(pairs, [0] * 12, np.random.default_rng(0))[0] == np.inf


def test_it_is_that_of_coco():
    """Beside cocopp.toolsstats.sp, where it is installed, on 1,000 cases: none, some, ties, single runs."""
    toolsstats = pytest.importorskip("cocopp.toolsstats", reason="cocopp is not installed")
    rng = np.random.default_rng(4)
    for _ in range(1000):
        runs = int(rng.integers(1, 16))
        spent = rng.integers(1, rng.choice([3, 10_000]), runs).astype(float)
        hit = rng.random(runs) < rng.choice([0.0, 0.3, 0.7, 1.0])
        theirs = toolsstats.sp(spent, issuccessful=hit)[0]
        assert expected_running_time(spent, hit) == pytest.approx(theirs, rel=1e-12)


def test_shares_reached_are_a_distribution_function():
    """Pairs that needed 10, 20 and for ever: a third within 10, two thirds within any budget above 20."""
    shares = share_reached(np.array([[10, 20, np.inf]]), np.array([9, 10, 25, 1e9]))
    np.testing.assert_allclose(shares, [0, 1 / 3, 2 / 3, 2 / 3])
