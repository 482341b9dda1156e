"""The study of peoples without an expert finds the experts that `fit` finds."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import blackbox_align as bba
from blackbox_align import engines
from blackbox_align.experts import read_expert
from blackbox_align.fitting import Specification

EXPERIMENT = Path(__file__).parents[2] / "experiments" / "missing_people"


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["gauss-newton", "adam"])
def test_an_expert_of_the_study_is_that_of_a_fit_to_the_bit(optimizer, tmp_path, monkeypatch):
    """And one that is kept is the same again."""
    monkeypatch.syspath_prepend(str(EXPERIMENT))
    sys.modules.pop("experts", None)
    from experts import find_expert

    settings = Specification("AUS", objective="opinions", optimizer=optimizer, tokens=1, seed=3)
    run = bba.fit(
        "AUS", objective="opinions", optimizer=optimizer, tokens=1, seed=3, budget=12, runs=tmp_path
    )
    expected = read_expert(run.expert_of("AUS"))
    with engines.open("respondent-tiny") as engine:
        found = find_expert(settings, engine, 12, tmp_path / "kept.npz")
        again = find_expert(settings, engine, 12, tmp_path / "kept.npz")
    for one in (found, again):
        np.testing.assert_array_equal(one.prompt.vectors, expected.adapter().prompt.vectors)
        assert one.prompt.placement == expected.adapter().prompt.placement
        assert one.seen == frozenset(expected.card.fitted_items)
    assert found.last < found.first and found.evaluations == 12
