"""Weights that are stated: shares in a text, counts in a file, mistakes as sentences."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blackbox_align.committee import stated_weights
from blackbox_align.errors import DataFileError, SpecificationError, UnknownNameError

EXPERTS = {"saudi": "SAU", "egypt-1": "EGY", "egypt-2": "Egypt", "garden": "garden folk"}


def test_shares_become_weights_whatever_the_spelling_of_a_country():
    """Codes, names and the experts' own names are one; experts of one people share its weight."""
    decision = stated_weights("Saudi Arabia=0.3, EGY=0.6, garden=0.1", EXPERTS)
    assert decision.way == "stated"
    assert decision.weights == pytest.approx(
        {"saudi": 0.3, "egypt-1": 0.3, "egypt-2": 0.3, "garden": 0.1}
    )


def test_per_cents_and_counts_are_brought_to_one_and_said_to_be():
    """Only ratios matter, and the reasons name the sum that was stated."""
    decision = stated_weights("SAU=30%,garden folk=90%", EXPERTS)
    assert decision.weights == pytest.approx({"saudi": 0.25, "garden": 0.75})
    assert "120 in sum" in decision.because[0]


def test_a_single_population_needs_no_share():
    """A name alone is all of it."""
    assert stated_weights("SAU", EXPERTS).weights == {"saudi": 1.0}


def test_sample_counts_are_post_stratified(tmp_path):
    """A people counts as much as it does in the sample; one that nobody is of has no weight."""
    file = tmp_path / "counts.csv"
    file.write_text("country;n\nSaudi Arabia;30\nEgypt;10\ngarden folk;0\n", encoding="utf-8")
    weights = stated_weights(file, EXPERTS).weights
    assert weights == pytest.approx({"saudi": 0.75, "egypt-1": 0.125, "egypt-2": 0.125})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("SAU=much", "'much'"),
        ("SAU=-1", "'-1'"),
        ("SAU=0", "All shares"),
        ("SAU=0.5,KSA=0.5", "twice"),
        ("SAU=1,", "no share of a population"),
    ],
)
def test_a_share_that_is_none_is_a_sentence(text, sentence):
    """What was seen stands in the message."""
    with pytest.raises(SpecificationError, match=sentence):
        stated_weights(text, EXPERTS)


def test_a_people_without_an_expert_is_told_the_nearest():
    """The nearest names are offered."""
    with pytest.raises(UnknownNameError, match="Did you mean 'saudi'"):
        stated_weights("Saud=1", EXPERTS)


@pytest.mark.parametrize(
    ("content", "line", "sentence"),
    [
        ("country,n\nSAU,ten\n", 2, "'ten'"),
        ("country,n\nSAU,1\nMongolia,2\n", 3, "Mongolia"),
        ("country,n\nSAU,1\nKSA,2\n", 3, "twice"),
        ("land,n\nSAU,1\n", 1, "no column 'population'"),
    ],
)
def test_a_mistake_in_a_file_names_its_line(tmp_path, content, line, sentence):
    """The line and the mend are in the message."""
    file = tmp_path / "counts.csv"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(DataFileError, match=sentence) as caught:
        stated_weights(file, EXPERTS)
    assert caught.value.line == line


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0.01, 1e6), min_size=2, max_size=2))
def test_weights_keep_the_ratios_of_shares_and_sum_to_one(shares):
    """Whatever is stated, in whatever units."""
    weights = stated_weights(f"SAU={shares[0]!r},garden={shares[1]!r}", EXPERTS).weights
    assert sum(weights.values()) == pytest.approx(1)
    assert weights["saudi"] * shares[1] == pytest.approx(weights["garden"] * shares[0])
