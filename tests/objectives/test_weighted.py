"""Objectives in a sum: how it is written, what it weighs, and that one alone is left as it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from blackbox_align.errors import SpecificationError
from blackbox_align.objectives import (
    Constants,
    IndexObjective,
    OpinionObjective,
    WeightedSum,
    parse_objective,
)
from blackbox_align.objectives.weighted import describe_objective
from blackbox_align.surveys import load_survey

SURVEY = load_survey("vsm2013")
RNG = np.random.default_rng(0)


def answers(candidates):
    return RNG.dirichlet(np.ones(5), (candidates, 24))


@pytest.fixture
def parts():
    indices = IndexObjective(SURVEY, np.full((1, 6), 50.0), Constants("zero", (0.0,) * 6))
    other = replace(SURVEY, name="other")  # parts of one survey share its answers
    return {"indices": indices, "opinions": OpinionObjective(other, answers(1))}


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("indices", {"indices": 1.0}),
        ("vsm13", {"indices": 1.0}),  # as it was called before
        ("opinions", {"opinions": 1.0}),
        ("2*opinions", {"opinions": 1.0}),
        ("vsm13+opinions", {"indices": 1.0, "opinions": 1.0}),
        ("vsm13 + 0.5*opinions", {"indices": 1.0, "opinions": 0.5}),
    ],
)
def test_an_objective_is_written_as_a_sum(text, weights):
    """Names with weights in front; a weight of one part alone weighs nothing."""
    assert parse_objective(text) == weights


@pytest.mark.parametrize(
    "text",
    [
        "",
        "opinion",
        "vsm13+",
        "vsm13+indices",
        "0*opinions+vsm13",
        "-1*vsm13",
        "x*vsm13",
        "nan*opinions",
    ],
)
def test_what_is_no_objective_is_refused(text):
    """Unknown or repeated names and weights that weigh nothing are one sentence."""
    with pytest.raises(SpecificationError, match="The objective must be 'indices', 'opinions'"):
        parse_objective(text)


@pytest.mark.parametrize("text", ["indices", "indices+opinions", "indices+0.5*opinions"])
def test_an_objective_is_described_as_it_is_read(text):
    """A weight of 1 is not written."""
    assert describe_objective(parse_objective(text)) == text


def test_the_slope_of_a_sum_is_the_sum_of_slopes(parts):
    """Each part's in its own columns, times what the part weighs."""
    both, given = WeightedSum(parts, {"indices": 1.0, "opinions": 0.5}), answers(2)
    index, opinion = (part.cotangent(given, 0) for part in parts.values())
    slopes = both.cotangent(np.concatenate([given, given], axis=1), 0)
    np.testing.assert_allclose(slopes, np.concatenate([index, 50 * opinion], axis=1))
    one = parts | {"opinions": replace(parts["opinions"], survey=SURVEY)}
    shared = WeightedSum(one, {"indices": 1.0, "opinions": 0.5}).cotangent(given, 0)
    np.testing.assert_allclose(shared, index + 50 * opinion)


def test_one_part_alone_keeps_its_bits(parts):
    """A sum of one objective is that objective: outputs, targets and losses."""
    given = answers(3)
    for name, part in parts.items():
        alone = WeightedSum({name: part}, {name: 1.0})
        outputs = alone.outputs(given)
        np.testing.assert_array_equal(alone.stacked(outputs), part.outputs(given))
        np.testing.assert_array_equal(alone.targets, part.targets)
        np.testing.assert_array_equal(alone.losses(outputs), part.losses(part.outputs(given)))


def test_a_sum_adds_points_and_hundredths_of_a_distance(parts):
    """The loss of indices+0.5*opinions is points + 0.5 * 100 * JS distance."""
    both = WeightedSum(parts, {"indices": 1.0, "opinions": 0.5})
    one, other = answers(3), answers(3)
    outputs = both.outputs(np.concatenate([one, other], axis=1))
    index, opinion = (
        part.losses(part.outputs(given))
        for part, given in zip(parts.values(), (one, other), strict=True)
    )
    np.testing.assert_allclose(both.losses(outputs), index + 50 * opinion)
    np.testing.assert_allclose(both.each(outputs)["opinions"], opinion)


def test_every_part_enters_the_least_squares_with_the_mean_of_its_squares(parts):
    """Six indices do not drown in a hundred options."""
    both = WeightedSum(parts, {"indices": 1.0, "opinions": 2.0})
    one, other = answers(2), answers(2)
    outputs = both.outputs(np.concatenate([one, other], axis=1))
    squares = ((both.stacked(outputs) - both.targets[0]) ** 2).mean(axis=1)
    index, opinion = (
        ((part.outputs(given) - part.targets[0]) ** 2).mean(axis=1)
        for part, given in zip(parts.values(), (one, other), strict=True)
    )
    np.testing.assert_allclose(squares, index + 200**2 * opinion)
