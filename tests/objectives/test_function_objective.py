"""A function of one's own as an objective: how it is written down, and what it says of answers."""

from __future__ import annotations

import numpy as np
import pytest

from blackbox_align.errors import SpecificationError
from blackbox_align.objectives.function import FunctionObjective, is_function, written
from blackbox_align.populations.population import find_population
from blackbox_align.surveys import load_survey
from blackbox_align.surveys.own_loss import OwnLoss

SURVEY = load_survey("vsm2013")


def first_options(answers):
    """(P, items) residuals."""
    return answers[:, :, 0] - 0.5


def evenness(answers):
    return answers.max(axis=(1, 2))


def answers(candidates=3):
    drawn = np.random.default_rng(0).random((candidates, len(SURVEY.items), 5))
    return drawn / drawn.sum(2, keepdims=True)


def test_a_function_is_written_down_by_its_name_and_weight():
    """Alone it weighs 1; in a sum it weighs what was said; there is one at most."""
    assert written(evenness) == ("1.0*function:evenness", evenness)
    assert written({"indices": 2.0, evenness: 0.5}) == (
        "2.0*indices+0.5*function:evenness",
        evenness,
    )
    assert written("indices") == ("indices", None) and written({"indices": 1.0})[1] is None
    assert is_function("function:evenness") and not is_function("indices")
    with pytest.raises(SpecificationError, match="one function of yours at most"):
        written({evenness: 1.0, first_options: 1.0})


def test_its_loss_is_the_mean_absolute_residual_in_points():
    """Residuals have targets of 0, a row of answers that is no number fails alone."""
    own = OwnLoss(SURVEY, first_options, (find_population("SAU"),))
    objective, given = FunctionObjective(own), answers()
    given[1, 0, 0] = np.nan
    outputs = objective.outputs(given)
    assert objective.survey is SURVEY and objective.in_points == 1.0
    np.testing.assert_array_equal(objective.targets, np.zeros((1, len(SURVEY.items))))
    np.testing.assert_array_equal(outputs[::2], given[::2, :, 0] - 0.5)
    [losses] = objective.losses(outputs)
    np.testing.assert_allclose(losses[::2], np.abs(given[::2, :, 0] - 0.5).mean(1))
    assert np.isnan(losses[1])
    with pytest.raises(SpecificationError, match="'first_options' has no derivatives"):
        objective.cotangent(given, 0)
