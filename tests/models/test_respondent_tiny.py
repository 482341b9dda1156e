"""The embedded model: it answers both instruments, and naming a country moves it to that country."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from blackbox_align.adapters.adapter import Adapter
from blackbox_align.assessment import Asking, ask, score
from blackbox_align.engines.checkpoint import load_model
from blackbox_align.engines.local.engine import LocalEngine
from blackbox_align.engines.local.questions import tokenize_survey
from blackbox_align.surveys import load_survey
from blackbox_align.surveys.opinion_files import load_opinions

TRAINED = ("USA", "CAN", "GBR", "NLD", "DEU", "CHN", "RUS", "IND", "NGA", "AUS", "BOL")


@pytest.fixture(scope="module")
def model():
    return load_model("respondent-tiny")


@pytest.mark.parametrize("preamble", ["", "Answer as a typical person who lives in India would."])
@pytest.mark.parametrize(
    ("instrument", "mean", "least"),
    [("vsm2013", 0.999, 0.999), ("letters", 0.999, 0.99), ("digits", 0.999, 0.99)],
)
def test_the_probability_is_on_the_labels(instrument, mean, least, preamble, model):
    """Nearly all of the next token's probability is on the labels of the options."""
    survey = load_survey("vsm2013")
    if instrument != "vsm2013":
        survey = load_opinions("world-opinions", labels=instrument).survey
    masses = []
    for question in tokenize_survey(survey.with_preamble(preamble), model.tokenizer):
        with torch.no_grad():
            logits = model.model(torch.tensor([question.context])).logits[0, -1]
        masses.append(float(logits.softmax(-1)[list(question.labels)].sum()))
    assert np.mean(masses) > mean and min(masses) > least


def test_naming_a_trained_country_moves_opinions_to_its_figures(model):
    """On average the distance to the countries named in training is well below the un-prompted one."""
    table = score("world-opinions", country=TRAINED, conditions=("none", "icl"), resamples=1)
    distance = {s.condition: s.value for s in table.scores
                if (s.population, s.metric) == ("mean", "js_distance_nats")}  # fmt: skip
    assert distance["icl"] < 0.75 * distance["none"] < distance["uniform"]


def test_an_answer_is_found_by_its_text_not_by_its_place(model):
    """Turned round, the options keep most of their shares."""
    survey = load_opinions("world-opinions").survey
    turned = replace(
        survey,
        items=tuple(
            replace(i, scale=replace(i.scale, options=i.scale.options[::-1])) for i in survey.items
        ),
    )
    moved = []
    with LocalEngine(model) as engine:
        one, two = (ask(engine, s, [Adapter()], Asking("1", "own"))[0][0] for s in (survey, turned))
    for item, here, there in zip(survey.items, one, two, strict=True):
        size = len(item.scale)
        moved.append(np.abs(here[:size] - there[:size][::-1]).sum() / 2)
    assert np.mean(moved) < 0.1
