"""Simulated worlds: shares are shares, and a wired model reads names."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from blackbox_align.adapters.adapter import Adapter
from blackbox_align.assessment.asking import Asking, ask
from blackbox_align.engines import opening
from blackbox_align.populations import find_population

EXPERIMENT = Path(__file__).parents[2] / "experiments" / "cultural_palette"


@pytest.fixture(scope="module")
def worlds():
    sys.path.insert(0, str(EXPERIMENT))
    try:
        import worlds
    finally:
        sys.path.remove(str(EXPERIMENT))
    return worlds


def test_a_world_is_a_survey_with_answers(worlds, tmp_path):
    """Every country answers every question; the same seed is the same world."""
    world = worlds.World.draw(3)
    opinions = worlds.opinions_of(world, tmp_path)
    assert len(opinions) == 20 * worlds.ITEMS
    np.testing.assert_allclose(world.shares(world.countries).sum(-1), 1.0)
    again = worlds.World.draw(3)
    np.testing.assert_array_equal(again.countries, world.countries)


def test_a_wired_model_answers_by_the_traits_of_a_name(worlds, tmp_path):
    """In line with the truth at less than its strength, in both directions of the options, name by name."""
    world = worlds.World.draw(0)
    opinions = worlds.opinions_of(world, tmp_path)
    worlds.wired(world, opinions, tmp_path / "model", 0)
    told = [Adapter(text=find_population(code).preamble()) for code in ("KEN", "JPN")]
    with closing(opening.open(str(tmp_path / "model"))) as engine:
        answers, _ = ask(engine, opinions.survey, told, Asking("reversed"))
    places = [worlds.MAP.countries.index(code) for code in ("KEN", "JPN")]
    truth = world.shares(world.countries[places])
    for given, real in zip(answers, truth, strict=True):
        tilt = [np.log(shares[:, 3]) - np.log(shares[:, 0]) for shares in (real, given)]
        slope, _ = np.polyfit(*tilt, 1)
        assert np.corrcoef(*tilt)[0, 1] > 0.9 and 0.2 < slope < 0.5
