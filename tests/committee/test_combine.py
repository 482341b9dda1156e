"""Prediction-powered inference: no bias from the simulation, and what it is worth."""

import numpy as np
import pytest

from blackbox_align.committee import combine
from blackbox_align.errors import SpecificationError


def one_hot(chosen, options=3):
    return np.eye(options)[chosen]


def draw(rng, n, likeness):
    """(n, 3) real answers and simulated ones that agree with them as often as ``likeness`` says."""
    real = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    agrees = rng.random(n) < likeness
    return one_hot(real), one_hot(np.where(agrees, real, 2))  # else it says the third: a bias


def test_the_interval_holds_the_truth_though_the_simulation_is_biased():
    """Of 300 samples, nearly 95 in 100 intervals hold the true share of the first option."""
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(300):
        real, same = draw(rng, 60, 0.7)
        found = combine(real, same, draw(rng, 2000, 0.7)[1])
        held += found.low[0] <= 0.5 <= found.high[0]
    assert 0.90 <= held / 300 <= 0.985


def test_a_good_simulation_is_worth_answers_and_one_that_tells_nobody_apart_none():
    """Like answers narrow the interval; a constant answer leaves the real one as it is."""
    rng = np.random.default_rng(1)
    real, same = draw(rng, 60, 0.95)
    good = combine(real, same, draw(rng, 5000, 0.95)[1])
    assert good.worth > 60 and (good.high - good.low)[0] < (good.real_high - good.real_low)[0]
    flat = np.tile([0.2, 0.3, 0.5], (60, 1))
    none = combine(real, flat, np.tile([0.2, 0.3, 0.5], (500, 1)))
    assert none.worth == 0 and none.tuning == 0 and none.shares == pytest.approx(real.mean(axis=0))


def test_shares_sum_to_one_and_are_as_by_hand():
    """Three of four real answers agree; tuning = cov / ((1 + n / N) var), worked by hand.

    Yes: real 1 1 0 0, simulated 1 1 1 0 for the same and 1 0 1 0 for others. Over both options
    cov = 2 x 1/8, pooled var (5 of 8 yes) = 2 x (15/64)(8/7), tuning = 0.25 / (2 x 0.535714).
    """
    yes = lambda row: np.stack([row, 1 - np.array(row)], axis=1)  # noqa: E731
    found = combine(yes([1, 1, 0, 0]), yes([1, 1, 1, 0]), yes([1, 0, 1, 0]))
    tuning = 0.25 / (2 * 2 * 15 / 64 * 8 / 7)
    assert found.tuning == pytest.approx(tuning)
    assert found.shares[0] == pytest.approx(tuning * 0.5 + 0.5 - tuning * 0.75)
    assert found.shares.sum() == pytest.approx(1)


def test_the_library_gives_the_same_interval():
    """ppi-python, where it is installed."""
    import warnings

    with warnings.catch_warnings():  # importing it silences the warnings of the whole process
        ppi = pytest.importorskip("ppi_py")
    rng = np.random.default_rng(2)
    real, same = draw(rng, 40, 0.8)
    others = draw(rng, 400, 0.8)[1]
    found = combine(real, same, others)
    low, high = ppi.ppi_mean_ci(real, same, others, alpha=0.05)
    assert found.low == pytest.approx(np.clip(low, 0, 1), abs=1e-6)
    assert found.high == pytest.approx(np.clip(high, 0, 1), abs=1e-6)


@pytest.mark.parametrize("sizes", [(5, 4, 9), (1, 1, 9), (5, 5, 1)])
def test_too_few_answers_or_shapes_that_differ_are_refused(sizes):
    """Real and simulated answers are of the same respondents, and at least two."""
    with pytest.raises(SpecificationError):
        combine(*(np.full((n, 2), 0.5) for n in sizes))
