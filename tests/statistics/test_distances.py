"""The metrics: laws that hold for all distributions, and figures worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackbox_align.statistics.distances import (
    DISTRIBUTION_METRICS,
    LN2,
    credit,
    earth_movers_distance,
    js_distance,
    js_divergence,
)


@st.composite
def distributions(draw, count=2):
    """(count, k) distributions over the same 2 to 7 options, zeros included."""
    k = draw(st.integers(2, 7))
    weight = st.floats(0, 1).map(lambda x: x if x > 1e-6 else 0.0)
    rows = draw(st.lists(st.lists(weight, min_size=k, max_size=k).filter(sum),
                         min_size=count, max_size=count))  # fmt: skip
    table = np.array(rows)
    return table / table.sum(1, keepdims=True)


def all_metrics(p, q):
    return {name: float(metric.function(p, q)) for name, metric in DISTRIBUTION_METRICS.items()}


@given(distributions())
def test_metrics_are_symmetric_and_bounded(rows):
    """Swapping the distributions changes nothing; a divergence lies in 0..ln 2 nats or 0..1 bits."""
    p, q = rows
    one, other = all_metrics(p, q), all_metrics(q, p)
    assert one == pytest.approx(other, abs=1e-12)
    top = {"nats": LN2, "bits": 1.0}
    for unit, most in top.items():
        assert 0 <= one[f"js_divergence_{unit}"] <= most
        assert 0 <= one[f"js_distance_{unit}"] <= math.sqrt(most) + 1e-12
    moved = float(earth_movers_distance(p, q, np.array(len(p))))
    assert 0 <= moved <= 1 + 1e-12
    assert moved == pytest.approx(float(earth_movers_distance(q, p, np.array(len(p)))))


@given(distributions(count=1))
def test_equal_distributions_are_at_no_distance(rows):
    """A distribution is at distance 0 from itself, and all similarities are 1."""
    (p,) = rows
    for name, value in all_metrics(p, p).items():
        assert value == pytest.approx(1.0 if name.startswith("one_minus") else 0.0, abs=1e-7)
    assert earth_movers_distance(p, p, np.array(len(p))) == 0


@given(distributions())
def test_units_and_similarities_convert_into_each_other(rows):
    """Bits are nats over ln 2, a distance is the root of its divergence, a similarity 1 - either."""
    values = all_metrics(*rows)
    assert values["js_divergence_nats"] == pytest.approx(values["js_divergence_bits"] * LN2)
    for unit in ("nats", "bits"):
        assert values[f"js_distance_{unit}"] ** 2 == pytest.approx(values[f"js_divergence_{unit}"])
        for kind in ("distance", "divergence"):
            similarity = values[f"one_minus_js_{kind}_{unit}"]
            assert similarity == pytest.approx(1 - values[f"js_{kind}_{unit}"])


@given(distributions(count=3))
def test_the_distance_obeys_the_triangle_inequality(rows):
    """The root of the divergence is a metric (Endres and Schindelin 2003); the divergence is none."""
    p, q, r = rows
    assert js_distance(p, r) <= js_distance(p, q) + js_distance(q, r) + 1e-7


@given(distributions(), st.integers(0, 3))
def test_zeros_behind_the_options_change_nothing(rows, padding):
    """An item with fewer options than the widest one is scored as if it stood alone."""
    p, q = rows
    wide = np.pad(rows, ((0, 0), (0, padding)))
    assert js_divergence(*wide) == pytest.approx(float(js_divergence(p, q)), abs=1e-12)
    k = np.array(len(p))
    assert earth_movers_distance(*wide, k) == pytest.approx(float(earth_movers_distance(p, q, k)))


def test_scipy_gives_the_same_distance():
    """An independent implementation agrees, in both bases."""
    from scipy.spatial.distance import jensenshannon

    rng = np.random.default_rng(0)
    p, q = rng.dirichlet(np.ones(5), size=(2, 50))
    np.testing.assert_allclose(js_distance(p, q), jensenshannon(p, q, axis=1))
    bits = DISTRIBUTION_METRICS["js_distance_bits"].function(p, q)
    np.testing.assert_allclose(bits, jensenshannon(p, q, base=2, axis=1))


def test_figures_worked_by_hand():
    """Opposite certainties are ln 2 nats apart; moving half of the mass one of two steps is 1/4."""
    a, b = np.array([1.0, 0, 0]), np.array([0, 0, 1.0])
    assert js_divergence(a, b) == pytest.approx(math.log(2))
    assert earth_movers_distance(a, b, np.array(3)) == 1
    assert earth_movers_distance(a, np.array([0.5, 0.5, 0]), np.array(3)) == pytest.approx(0.25)
    # D(p || m) = 0.5 log2(0.5 / 0.75) + 0.5 log2(0.5 / 0.25), D(q || m) = log2(1 / 0.75)
    expected = 0.5 * (0.5 * math.log2(2 / 3) + 0.5 * math.log2(2) + math.log2(4 / 3))
    got = DISTRIBUTION_METRICS["js_divergence_bits"].function(
        np.array([0.5, 0.5]), np.array([1.0, 0])
    )
    assert got == pytest.approx(expected)


def test_a_tie_shares_the_credit():
    """The likeliest option counts; where several are, each has its share of the point."""
    p = np.array([[0.7, 0.3, 0, 0], [0.25] * 4, [0.4, 0.4, 0.2, 0], [0.1, 0.9, 0, 0]])
    np.testing.assert_allclose(credit(p, np.array([0, 3, 2, 0])), [1, 0.25, 0, 0])
