"""An engine made of a plain function answers like any other."""

from __future__ import annotations

import numpy as np
import pytest

from blackbox_align.adapters import Adapter
from blackbox_align.engines import Answers
from blackbox_align.errors import ModelError
from blackbox_align.surveys.sheet import Question, Sheet
from blackbox_align.testing import FunctionEngine

ASKED = Sheet((Question("How?", ("1", "2")), Question("Why?", ("A", "B"))), (("a", "b"),))


def test_an_array_becomes_answers():
    """What the array does not say is not known; a candidate of NaN has failed."""
    table = np.array([[[0.2, 0.8], [0.5, 0.5]], [[np.nan, 1], [0, 1]]])
    engine = FunctionEngine(lambda adapters, sheet: table)
    answers = engine.answer([Adapter(), Adapter("Be brief.")], ASKED)
    np.testing.assert_allclose(answers.probabilities, table, rtol=1e-6)
    assert answers.mass.shape == (2, 2) and np.isnan(answers.mass).all()
    assert answers.divergence.shape == (2, 1)
    assert answers.failures[0] is None and "not a finite number" in answers.failures[1]
    assert FunctionEngine(lambda adapters, sheet: answers).answer([], ASKED) is answers
    assert Answers.concatenate([answers[:1], answers[1:]]).failures == answers.failures


def test_it_has_words_with_embeddings_and_no_more():
    """A search can start from words; what a function cannot do is a sentence."""
    engine = FunctionEngine(lambda adapters, sheet: np.zeros((0, 2, 2)))
    tokens = engine.tokenize("Who?")
    assert engine.embed(tokens).shape == (4, engine.info.width)
    np.testing.assert_array_equal(engine.embed([3, 3])[0], engine.embed([3])[0])
    assert engine.askable(ASKED) == (None, None)
    for refused in (lambda: engine.submit(None), lambda: engine.hidden([], "layer-input"),
                    lambda: engine.pullback([], ASKED)):  # fmt: skip
        with pytest.raises(ModelError, match="is a function"):
            refused()
    engine.close()
