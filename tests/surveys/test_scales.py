"""When options are a scale of numbers."""

import pytest

from blackbox_align.surveys.scales import arranged, dates_among, is_ladder


@pytest.mark.parametrize(
    ("options", "ladder"),
    [
        (["1", "2", "3"], True),
        (["never 1", "2", "3", "always 4"], True),
        (["3", "2", "1"], True),
        (["1", "two", "3", "4"], False),
        (["1", "2", "three", "4"], False),
        (["1", "1", "2"], False),
        (["1. Yes", "2. No"], False),
    ],
)
def test_a_ladder_has_words_at_its_ends_alone(options, ladder):
    """Rising or falling numbers; a word between them, or one number twice, makes it none."""
    assert is_ladder(options) == ladder


@pytest.mark.parametrize(
    ("options", "order"),
    [
        (["1", "10", "2"], ["1", "2", "10"]),
        (["10 Always", "9", "0 Never", "1"], ["0 Never", "1", "9", "10 Always"]),
        (["65+", "18-29", "30 to 64"], ["18-29", "30 to 64", "65+"]),
        (["2 or more", "under 1", "1"], ["under 1", "1", "2 or more"]),
        (["3", "2", "1"], ["3", "2", "1"]),
        (["30 minutes", "1 hour", "2 hours"], ["30 minutes", "1 hour", "2 hours"]),
        (["None", "2", "1"], ["None", "2", "1"]),
    ],
)
def test_numbers_and_ranges_in_no_order_are_sorted(options, order):
    """A falling scale stays, and so do numbers of different things and what is no number."""
    assert list(arranged(options)) == order


def test_dates_among_options_are_seen():
    """Days and months, as spreadsheets make them of 3-4 and 5/6; ranges, words and years are none."""
    assert dates_among(["3-Apr", "Mai 12", "2024-06-05", "03. Okt"]) == [
        "3-Apr", "Mai 12", "2024-06-05", "03. Okt",
    ]  # fmt: skip
    assert not dates_among(["3-4", "May", "2024", "April the 3rd", "3 to 4", "May not"])
