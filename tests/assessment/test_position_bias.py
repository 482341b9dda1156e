"""The place of an option, measured: straight against reversed."""

from __future__ import annotations

import numpy as np
import pytest

from blackbox_align.adapters.adapter import Adapter
from blackbox_align.assessment import score
from blackbox_align.assessment.position_bias import (
    both_directions,
    compare_directions,
    position_bias,
)
from blackbox_align.engines import FunctionEngine
from blackbox_align.errors import ModelError
from blackbox_align.surveys import load_survey
from blackbox_align.surveys.sheet import sheet
from tests.assessment.reading import engine

VSM = load_survey("vsm2013")


def by_place(weights):
    """An engine whose answers are a function of the item's length and the place of an option alone."""

    def answer(asked):
        places = np.arange(len(asked.options))
        shares = np.exp(weights(len(asked.text)) * places)
        return shares / shares.sum()

    return engine(answer)


def by_content(asked):
    """An engine that answers by what the options say and by the item, wherever they stand."""
    shares = np.array(
        [1 + (len(asked.text) * len(option)) % 11 for option in asked.options.values()]
    )
    return shares / shares.sum()


def test_an_engine_that_looks_at_places_alone_is_all_position():
    """Means mirror each other; where they do not vary there is no correlation, and the share says it."""
    varied = position_bias(by_place(lambda length: (length % 7 - 3) / 4), VSM)
    assert varied.correlation == pytest.approx(-1) and varied.share == pytest.approx(1)
    constant = position_bias(by_place(lambda length: 0.8), VSM)
    assert np.isnan(constant.correlation) and constant.share == pytest.approx(1)
    for bias in (varied, constant):
        assert bias.mostly_position and "mostly the place of an option" in bias.describe()


def test_an_engine_that_reads_its_options_has_no_bias():
    """The same mean twice; also of an engine that has no opinion at all nothing is warned."""
    bias = position_bias(engine(by_content), VSM)
    assert bias.correlation == pytest.approx(1) and bias.share == pytest.approx(0, abs=1e-9)
    assert not bias.mostly_position and "mostly" not in bias.describe()
    even = position_bias(by_place(lambda length: 0.0), VSM)
    assert np.isnan(even.share) and not even.mostly_position


def test_the_correlation_is_that_of_the_item_means():
    """Against item means computed by hand from the sheet of both directions; batches change nothing."""
    rng = np.random.default_rng(0)
    made = rng.dirichlet(np.ones(5), len(sheet(VSM, "reversed").questions)).astype(np.float32)[None]
    questions = sheet(VSM, "reversed").questions
    row = {question.text: shares for question, shares in zip(questions, made[0], strict=True)}
    straight, turned = [], []
    for item in VSM.items:
        codes = np.array(item.scale.codes)
        pair = [q for q in questions if q.text.endswith(f"Question: {item.text}")]
        first = next(q for q in pair if q.text == VSM.question(item))
        straight.append(row[first.text] @ codes)
        turned.append(row[next(q for q in pair if q is not first).text] @ codes[::-1])
    expected = np.corrcoef(straight, turned)[0, 1]
    found = compare_directions(both_directions(made, VSM)[0], VSM)
    assert found.correlation == pytest.approx(expected) and found.items == 24
    asked = FunctionEngine(lambda a, s: np.array([[row[q.text] for q in s.questions]]))
    assert position_bias(asked, VSM, batch=7).correlation == pytest.approx(expected)


def test_it_stands_under_the_table_of_a_score_and_in_its_result():
    """Whatever is scored, the un-prompted model's bias is said, with the warning."""
    biased = by_place(lambda length: (length % 7 - 3) / 4)
    result = score("vsm2013", country="SAU", conditions=["icl"], engine=biased)
    assert result.bias == pytest.approx(-1) and result.provenance.orders == "reversed"
    assert any("correlate at -1.00" in note for note in result.notes)
    assert type(result).from_dict(result.to_dict(), "here").bias == result.bias


def test_answers_that_are_no_numbers_are_refused():
    """A model in too short a precision is told so."""
    nothing = FunctionEngine(lambda a, s: np.full((len(a), len(s.questions), s.width), np.nan))
    with pytest.raises(ModelError, match="not finite"):
        position_bias(nothing, VSM, Adapter())
