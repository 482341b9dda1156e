"""The language part: nats a token, what they add to a loss, and slopes by finite differences."""

from __future__ import annotations

import numpy as np
import pytest

from blackbox_align.errors import SpecificationError
from blackbox_align.objectives import Language
from blackbox_align.objectives.language import IN_POINTS, check_weight
from blackbox_align.surveys.neutral_texts import neutral_texts

DIVERGENCE = np.array([[0.2, 0.4], [1.0, -1e-7], [np.nan, 0.1]], np.float32)


def test_a_nat_a_token_counts_for_so_many_points():
    """The mean over texts, times the weight; what rounding made negative is nothing; NaN is a failure."""
    losses = Language(2.5).losses(DIVERGENCE)
    assert losses[:2] == pytest.approx([2.5 * IN_POINTS * 0.3, 2.5 * IN_POINTS * 0.5])
    assert np.isnan(losses[2])
    assert Language(2.5, unit=100.0).losses(DIVERGENCE)[0] == pytest.approx(losses[0] / 100)


def test_as_a_residual_its_mean_square_is_the_square_of_its_loss_at_one_nat():
    """Beside six others; it grows like the length of a step."""
    one = np.ones((1, 3), np.float32)
    [[residual]] = Language(1.0).outputs(one, 6)
    assert residual**2 / 6 == pytest.approx(IN_POINTS**2)
    assert Language(1.0).outputs(one / 4, 6)[0, 0] == pytest.approx(residual / 2)


def test_the_slope_is_that_of_finite_differences():
    """By every text, and 0 where there is no number."""
    part, at = Language(0.7), np.array([[0.2, 0.4]], np.float64)
    step = np.array([[1e-4, 0.0]])
    numeric = (part.losses(at + step) - part.losses(at - step)) / 2e-4
    assert part.cotangent(at)[0, 0] == pytest.approx(numeric[0])
    assert part.cotangent(DIVERGENCE)[2].tolist() == [0.0, part.factor / 2]


@pytest.mark.parametrize("weight", [-1.0, np.inf, np.nan])
def test_what_is_no_weight_is_refused(weight):
    """In a sentence that says what 0 means."""
    with pytest.raises(SpecificationError, match="The weight of the language is 0"):
        check_weight(weight)


@pytest.mark.parametrize("weight", [0.0, 1e-9, 0.7, 1e9])
def test_what_is_a_weight_is_given_back(weight):
    """Nothing is one, too: it leaves the language out."""
    assert check_weight(weight) == weight


def test_no_text_of_the_report_is_read_in_a_search():
    """A few dozen of each, some behind a message, and none twice."""
    texts = neutral_texts()
    written = [text for _, text in (*texts.search, *texts.held_out)]
    assert len(set(written)) == len(written) >= 40
    assert not {asked for asked, _ in texts.search if asked} & {a for a, _ in texts.held_out}
    assert min(sum(bool(asked) for asked, _ in part) for part in (texts.search, texts.held_out)) > 5
