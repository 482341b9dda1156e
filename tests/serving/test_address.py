"""An engine at the address of our own server: its answers are those of the model in this process."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from blackbox_align.adapters.adapter import Adapter
from blackbox_align.engines.http import HttpEngine
from blackbox_align.engines.local.engine import LocalEngine
from blackbox_align.errors import ModelError
from blackbox_align.experts import Library
from tests.engines.test_http import RECORDED, SHEET

TEXT = Adapter("You live in Chad.")


@pytest.mark.parametrize("model", ["base", "SAU", "EGY"])
def test_its_answers_are_those_of_the_model_in_this_process(server, tiny, model):
    """Label probabilities and mass to 1e-4, under the expert that the server holds by that name."""
    engine = HttpEngine(f"{server.url}/v1", model, key="secret")
    found = engine.answer([Adapter()], SHEET)
    adapter = Adapter()
    if model != "base":
        adapter = Library(server.folder / "experts").read(model).adapter()
    with LocalEngine(tiny) as own:
        expected = own.answer([adapter], SHEET)
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-4)
    assert engine.askable(SHEET) == (None, None)


def test_vectors_right_before_the_answer_are_not_asked_in_vain(server):
    """With the answer in the prompt they would stand behind it."""
    with pytest.raises(ModelError, match="stand right before the answer"):
        HttpEngine(f"{server.url}/v1", "JPN", key="secret").answer([Adapter()], SHEET)


def test_a_committee_at_an_address_answers_as_one_here(server, bbalign, monkeypatch):
    """`bbalign ask --engine URL`: weights, parts and mixture of the server's own /v1/ask."""
    asked = ["Is it right?", "--options", "yes,no", "--population", "SAU=0.3,EGY=0.7", "--json"]
    monkeypatch.setenv("BBALIGN_API_KEY", "secret")
    done = bbalign("ask", *asked, "--engine", f"{server.url}/v1")
    assert done.returncode == 0, done.stderr
    here = bbalign("ask", *asked, cwd=server.folder)
    found, expected = json.loads(done.stdout), json.loads(here.stdout)
    assert found["decision"] == expected["decision"]
    np.testing.assert_allclose(found["mixture"], expected["mixture"], atol=1e-4)
    open_question = bbalign("ask", "How?", "--population", "SAU", "--engine", f"{server.url}/v1")
    assert open_question.returncode == 2 and "give --options" in open_question.stderr


def test_the_recorded_contract_is_what_the_server_says_today(server):
    """The exchanges that engines are tested with, asked again of the real server."""
    contract = json.loads(Path(RECORDED).read_text(encoding="utf-8"))
    engine = HttpEngine(f"{server.url}/v1", "SAU", key="secret")
    for exchange in contract:
        today = engine._call(exchange["path"].removeprefix("/v1/"), exchange["body"])
        was = exchange["answer"]
        if exchange["body"] is None:
            assert [m["id"] for m in today["data"]] == [m["id"] for m in was["data"]]
            continue
        for one, before in zip(today["choices"], was["choices"], strict=True):
            assert one["text"] == before["text"] and one["index"] == before["index"]
            told, then = one["logprobs"], before["logprobs"]
            assert told["tokens"] == then["tokens"] and told["text_offset"] == then["text_offset"]
            assert told["token_logprobs"][1:] == pytest.approx(then["token_logprobs"][1:], abs=1e-4)
