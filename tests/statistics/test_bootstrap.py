"""Bootstrap intervals: seeded, over questions, wide where there is little to go by."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest

from blackbox_align.statistics.bootstrap import Bootstrap


def test_the_same_seed_gives_the_same_interval():
    """Intervals are a function of the values and the seed; numpy's global state is not touched."""
    values = np.random.default_rng(0).normal(size=(50, 2))
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    one, other, third = (
        Bootstrap(np.arange(50), np.zeros(50, int), seed=seed).estimate(values)
        for seed in (1, 1, 2)
    )
    assert one == other != third
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


def test_intervals_are_those_of_the_normal_theory():
    """On many independent questions the interval is the mean plus and minus 1.96 standard errors."""
    values = np.random.default_rng(3).normal(5, 2, size=(400, 1))
    (estimate,) = Bootstrap(np.arange(400), np.zeros(400, int), 4000).estimate(values)
    error = values.std() / 20
    assert estimate.value == pytest.approx(values.mean())
    assert estimate.low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert estimate.high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)


def test_distributions_of_one_question_are_drawn_together():
    """A value that is repeated in 30 countries is one observation, not thirty."""
    values = np.random.default_rng(4).normal(size=(40, 1))
    once = Bootstrap(np.arange(40), np.zeros(40, int)).estimate(values)
    often = Bootstrap(np.tile(np.arange(40), 30), np.repeat(np.arange(30), 40)).estimate(
        np.tile(values, (30, 1))
    )
    assert often[0].low == pytest.approx(once[0].low)
    assert often[0].high == pytest.approx(once[0].high)


def test_every_group_counts_alike():
    """The mean is over the means of the groups, whatever their sizes."""
    values = np.array([[0.0]] * 9 + [[1.0]])
    (estimate,) = Bootstrap(np.arange(10), np.array([0] * 9 + [1])).estimate(values)
    assert estimate.value == 0.5


def test_gaps_are_left_out_and_a_column_of_gaps_has_no_mean():
    """NaN is no observation: it changes neither the mean nor the count of its column."""
    values = np.array([[1.0, np.nan], [3.0, np.nan], [np.nan, np.nan]])
    one, two = Bootstrap(np.arange(3), np.zeros(3, int)).estimate(values)
    assert one.value == 2 and one.low == 1 and one.high == 3
    assert np.isnan([two.value, two.low, two.high]).all()


def test_blocks_of_resamples_do_not_change_the_interval(monkeypatch):
    """How many draws and columns are held in memory at once is no part of the result."""
    values = np.random.default_rng(5).normal(size=(30, 23))
    bootstrap = Bootstrap(np.arange(30), np.zeros(30, int), 200)
    whole = bootstrap.estimate(values)
    monkeypatch.setattr("blackbox_align.statistics.bootstrap._AT_ONCE", 300)
    for one, other in zip(bootstrap.estimate(values), whole, strict=True):
        assert astuple(one) == pytest.approx(astuple(other), abs=1e-12)
