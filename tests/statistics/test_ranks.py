"""Orders of predicted against published figures."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import kendalltau

from blackbox_align.statistics.ranks import kendall_tau


def test_kendalls_tau_is_of_ranks_and_leaves_gaps_out():
    """Order is what counts; pairs with a gap are left out; fewer than three have no tau."""
    a = np.array([1.0, 2, 3, 4])
    assert kendall_tau(a, np.array([10.0, 20, 30, 400])) == 1
    assert kendall_tau(a, -a) == -1
    assert kendall_tau(a, np.array([2.0, 1, 3, 4])) == pytest.approx(4 / 6)
    assert kendall_tau(a, np.array([1.0, np.nan, 3, 4])) == 1
    assert math.isnan(kendall_tau(a[:2], a[:2]))


def test_ties_and_gaps_count_as_those_of_scipy():
    """Tau-b: the difference of concordant and discordant pairs over the geometric mean of untied ones."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        a, b = rng.integers(0, 5, (2, int(rng.integers(3, 12)))).astype(float)
        a[rng.random(len(a)) < 0.1] = np.nan
        known = ~np.isnan(a)
        expected = kendalltau(a[known], b[known]).statistic if known.sum() > 2 else np.nan
        assert kendall_tau(a, b) == pytest.approx(expected, nan_ok=True), (a, b)
