"""What a search is offered of a model's words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from blackbox_align.engines import open as open_engine
from blackbox_align.fitting.asking import search_space
from blackbox_align.fitting.data import OPTIMIZER, PROMPT, generator
from blackbox_align.fitting.searcher import EXAMPLES, OFFERED, offer_starts
from blackbox_align.fitting.specification import Specification
from blackbox_align.optimizers import create


class Words:
    """The embedded model's, some of whose rows are not finite, as rows that no word has may be."""

    def __init__(self, engine, vocabulary, broken):
        self.engine, self.info = engine, replace(engine.info, vocabulary=vocabulary)
        self.broken = broken

    def embed(self, tokens):
        found = self.engine.embed(tokens).copy()
        if len(found) > 5:  # the examples, not the few words to start from
            found[np.isin(tokens, self.broken)] = np.nan
        return found


@pytest.mark.parametrize(
    ("vocabulary", "broken", "left"), [(1801, [], 1801), (1801, [3, 700], 1799), (1, [], None)]
)
def test_examples_are_the_words_that_are_numbers(vocabulary, broken, left):
    """All of a small vocabulary, each once; of a single word no shape is made."""
    settings = Specification("SAU", tokens=5, placement="first")
    with open_engine(device="cpu") as engine:
        words = Words(engine, vocabulary, broken)
        space = search_space(settings, engine, generator(settings, PROMPT))
        optimizer = create("gauss-newton", space.dimension, generator(settings, OPTIMIZER))
        offer_starts(optimizer, settings, words, space, OFFERED, EXAMPLES)
    assert len(optimizer.opening.places) == 1 + OFFERED
    assert (optimizer.shape and len(optimizer.shape.examples)) == left
