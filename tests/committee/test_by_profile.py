"""Weights by what is known of somebody."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from blackbox_align.committee import read_profile, weights_by_profile
from blackbox_align.errors import SpecificationError


@dataclass
class Someone:
    """What of an expert a profile looks at."""

    name: str
    country: str
    profile: dict = field(default_factory=dict)

    @property
    def card(self):
        return SimpleNamespace(profile=self.profile)


PEOPLE = [
    Someone("saudi", "SAU", {"age": "30"}),
    Someone("saudi-old", "SAU", {"Age": "70"}),
    Someone("egypt", "EGY", {"age": "31", "place": "a village"}),
]


@pytest.mark.parametrize(
    ("profile", "weights"),
    [
        ({"country": "Saudi Arabia"}, {"saudi": 0.5, "saudi-old": 0.5}),
        ({"country": "SAU", "age": "65"}, {"saudi-old": 1.0}),
        ({"age": "33"}, {"egypt": 1.0}),
        ({"place": "A Village", "country": "SAU"}, {"saudi": 1 / 3, "saudi-old": 1 / 3, "egypt": 1 / 3}),
        ({"country": "JPN"}, {}),
    ],
)  # fmt: skip
def test_those_that_share_the_most_weigh_alike(profile, weights):
    decision = weights_by_profile(profile, PEOPLE)
    assert decision.weights == pytest.approx(weights)
    assert decision.abstains == (not weights)


@pytest.mark.parametrize("pairs", [["age"], ["=3"], ["age="], ["age=3", "AGE=4"]])
def test_what_is_no_pair_is_a_sentence(pairs):
    with pytest.raises(SpecificationError, match="NAME=VALUE, each name once"):
        read_profile(pairs)
    assert read_profile(["Country = SAU", "age=30"]) == {"country": "SAU", "age": "30"}
