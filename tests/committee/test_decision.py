"""A decision holds weights that sum to 1, or none, and can be written down."""

import json

import pytest

from blackbox_align.committee import Considered, Decision
from blackbox_align.errors import SpecificationError


def test_weights_are_kept_with_the_heaviest_first():
    """Who reads a decision sees first who decides most."""
    decision = Decision({"a": 0.25, "b": 0.75}, "stated", ("It was said.",))
    assert list(decision.weights) == ["b", "a"] and not decision.abstains


def test_none_is_an_abstention():
    """A decision without weights is one, with its reasons."""
    decision = Decision({}, "text", ("This does not say which country.",))
    assert decision.abstains and decision.to_dict()["abstains"] is True


@pytest.mark.parametrize(
    "weights", [{"a": 0.5}, {"a": 1.5, "b": -0.5}, {"a": float("nan")}, {"a": 0.0}]
)
def test_weights_that_are_none_are_refused(weights):
    """A weight is above 0, and all sum to 1."""
    with pytest.raises(SpecificationError, match="weight"):
        Decision(weights, "stated", ())


def test_a_decision_survives_json():
    """What a decision shows is plain values: words, distances, intervals, reasons, change."""
    one = Considered("b", 1.5, 0.6, 0.9, ("Brazilian",))
    decision = Decision({"b": 1.0}, "text", ("so",), considered=(one,), change=("thus",))
    written = json.loads(json.dumps(decision.to_dict()))
    assert written == decision.to_dict()
    assert written["considered"] == [
        {
            "expert": "b",
            "weight": 1.0,
            "distance": 1.5,
            "low": 0.6,
            "high": 0.9,
            "words": ["Brazilian"],
        }
    ]
