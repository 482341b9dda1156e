import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackbox_align.statistics.runtimes import (
    estimate_running_time,
    evaluations_to,
    expected_running_time,
    share_reached,
)


def test_unsuccessful_searches_count_with_all_they_spent():
    """Worked by hand: 100, 200 and 1,000 evaluations with two successes are 1,300 / 2."""
    assert expected_running_time(np.array([100, 200, 1000]), np.array([True, True, False])) == 650


def test_without_a_success_the_running_time_is_infinite():
    """A target that nobody reached has no finite expectation."""
    assert expected_running_time(np.array([10.0]), np.array([False])) == np.inf


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


def test_the_interval_covers():
    """Of 200 simulated experiments with a known ERT the 95 % interval holds it in 89 % or more."""
    rng = np.random.default_rng(1)
    # Geometric times cut at 60: ERT is 20, the mean of the geometric distribution.
    covered = 0
    for _ in range(200):
        times = rng.geometric(1 / 20, 40)
        spent, hit = np.minimum(times, 60.0), times <= 60
        found = estimate_running_time(spent, hit, [0] * 40, rng, resamples=300)
        covered += found.low <= 20 <= found.high
    assert covered >= 178


def test_shares_reached_are_a_distribution_function():
    """Pairs that needed 10, 20 and for ever: a third within 10, two thirds within any budget above 20."""
    shares = share_reached(np.array([[10, 20, np.inf]]), np.array([9, 10, 25, 1e9]))
    np.testing.assert_allclose(shares, [0, 1 / 3, 2 / 3, 2 / 3])
