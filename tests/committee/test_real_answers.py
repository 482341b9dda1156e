"""Real answers to a question, joined with a committee's."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from blackbox_align.committee import combine, combine_with
from blackbox_align.committee.decision import Decision
from blackbox_align.errors import DataFileError

EXPERTS = [
    SimpleNamespace(name=name, country=code, card=SimpleNamespace(profile={}))
    for name, code in (("saudi", "SAU"), ("egypt", "EGY"))
]
PARTS = np.array([[0.9, 0.1], [0.2, 0.8]])
DECISION = Decision({"saudi": 0.5, "egypt": 0.5}, "stated", ("As stated.",))


def joined(text, tmp_path):
    file = tmp_path / "real.csv"
    file.write_text(text)
    rng = np.random.default_rng(0)
    return combine_with(file, ["yes", "no"], EXPERTS, PARTS, DECISION, rng)


def test_each_person_is_set_beside_the_expert_of_the_own_country(tmp_path):
    rows = [("yes", "SAU")] * 9 + [("no", "SAU")] + [("2", "Egypt")] * 8 + [("1", "EGY")] * 2
    found = joined("answer,country\n" + "\n".join(",".join(row) for row in rows), tmp_path)
    real = np.eye(2)[[0] * 9 + [1] + [1] * 8 + [0] * 2]
    same = np.repeat(PARTS, 10, axis=0)
    drawn = np.random.default_rng(0).choice(2, size=2000, p=[0.5, 0.5])
    expected = combine(real, same, PARTS[drawn])
    np.testing.assert_allclose(found.shares, expected.shares)
    assert found.worth == pytest.approx(expected.worth) and found.worth > 1


def test_a_committee_that_tells_nobody_from_anybody_is_worth_nothing(tmp_path):
    found = joined("answer,shoe\nyes,44\nno,40\nyes,41\nyes,42\n", tmp_path)
    assert found.worth == 0 and found.shares[0] == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("who,said\nSAU,yes\n", "no column 'answer'; found who, said"),
        ("answer,country\nyes,SAU\nmaybe,SAU\n", "'maybe' is no option"),
    ],
)
def test_a_mistake_in_the_file_is_named(text, sentence, tmp_path):
    with pytest.raises(DataFileError, match=sentence):
        joined(text, tmp_path)
