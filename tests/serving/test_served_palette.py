"""A palette that is served: a model whose gate weighs its colours, beside each colour by itself."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from blackbox_align.adapters.adapter import Adapter
from blackbox_align.engines.local.engine import LocalEngine
from blackbox_align.experts import write_expert
from blackbox_align.palette.palette import write_palette
from blackbox_align.serving import Limits
from blackbox_align.serving.app import _models
from blackbox_align.serving.asked import of_chat
from blackbox_align.serving.bodies import AskBody, ChatBody
from blackbox_align.serving.desk import Desk
from blackbox_align.serving.question import answer
from blackbox_align.serving.refusals import Refusal
from blackbox_align.serving.roster import Roster
from tests.experts.hand_made import PROOF, card
from tests.palette.conftest import TWO

QUESTION = "How should one greet an elder in Kenya?"


@pytest.fixture(scope="module")
def desk(tmp_path_factory, tiny):
    """Two colours that are texts, on the embedded model."""
    folder = tmp_path_factory.mktemp("palette")
    about = card(tiny.info.name, tiny.info.revision)
    places = {}
    for colour in TWO.colours:
        mine = replace(about, population=colour.code, name=colour.name)
        write_expert(folder / colour.code, Adapter(f"You live in {colour.name}."), mine, PROOF)
        places[colour.code] = folder / colour.code
    with LocalEngine(tiny) as engine:
        palette = write_palette(folder / "palette", TWO, places, engine)
        roster = Roster(palette.path / "experts", engine.info)
        yield Desk(engine, roster, Limits(), palette)


def chat(desk, **more):
    body = {"model": "palette", "messages": [{"role": "user", "content": QUESTION}], **more}
    return of_chat(ChatBody.model_validate(body), desk, np.random.default_rng(0))


def test_the_gate_weighs_the_voices(desk):
    """By the state of the question; all colours write one text."""
    asked = chat(desk)
    weights = desk.palette.decide(desk.engine, QUESTION).weights
    assert asked.decision.way == "gate" and asked.decision.weights == weights
    (request,) = asked.requests
    assert [weight for _, weight in request.voices] == list(weights.values())
    assert set(asked.experts[0]) == {"africa", "europe"}


def test_stated_weights_go_before_the_gate(desk):
    asked = chat(desk, population={"africa": 3, "europe": 1})
    assert asked.decision.weights == {"africa": 0.75, "europe": 0.25}


def test_a_page_asks_the_palette(desk):
    """Shares of the options are the pool by the gate's weights."""
    body = AskBody.model_validate({"question": QUESTION, "options": ["a bow", "a word"]})
    given = asyncio.run(answer(body, desk))
    weights = np.array(list(given["decision"]["weights"].values()))
    np.testing.assert_allclose(weights @ np.array(list(given["parts"].values())), given["mixture"])


def test_it_is_listed_and_a_colour_is_a_model_too(desk):
    """Without a palette nobody is called so."""
    assert [one["id"] for one in _models(desk)] == [
        "base",
        "committee",
        "palette",
        "africa",
        "europe",
    ]
    assert chat(desk, model="africa").decision is None
    plain = Desk(desk.engine, desk.roster, Limits())
    with pytest.raises(Refusal, match="palette"):
        chat(plain)
