"""When options are a scale of numbers."""

import pytest

from blackbox_align.surveys.scales import is_ladder


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
