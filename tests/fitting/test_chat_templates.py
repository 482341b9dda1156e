"""What stands around a question is a setting: it is recorded, and what was fitted is read as it was."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

import blackbox_align as bba
from blackbox_align.engines.local import chat
from blackbox_align.errors import ChangedSpecificationError, SpecificationError
from blackbox_align.experts import read_expert
from tests.small_models import CHAT_TEMPLATE, save_small_model

QUICK = {"optimizer": "random", "budget": 4, "tokens": 1, "orders": "1"}
DATED = "Today is {{ strftime_now('%d %b %Y') }}.\n" + CHAT_TEMPLATE


def answers_of(result):
    return [asked.probabilities for asked in result.answers]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_small_model("llama-chat", tmp_path_factory.mktemp("chat"))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def plain(model, runs):
    """A fit without the model's own template, with a text in front."""
    return bba.fit("SAU", model=model, runs=runs, chat_template="none", system="Be brief.", **QUICK)


def test_two_templates_are_two_runs_and_ask_otherwise(plain, model, runs):
    own = bba.fit("SAU", model=model, runs=runs, **QUICK)
    assert own.path != plain.path
    assert own.result.provenance.revision == plain.result.provenance.revision
    cards = [read_expert(run.expert_of("SAU")).card for run in (own, plain)]
    assert "<|user|>" in cards[0].opening and "Be brief." in cards[1].opening
    first = [run.result.answers[0].probabilities for run in (own, plain)]
    assert not np.allclose(first[0], first[1], atol=1e-3)
    assert "Be brief." in (plain.expert_of("SAU") / "README.md").read_text()


def test_a_run_goes_on_with_its_own_template_alone(plain, model, runs):
    with pytest.raises(ChangedSpecificationError, match=r"--system: Be brief\. then"):
        bba.fit("SAU", model=model, runs=runs, name=plain.path.name, chat_template="none", **QUICK)
    with pytest.raises(ChangedSpecificationError, match="--chat-template: none then, auto now"):
        bba.fit("SAU", model=model, runs=runs, name=plain.path.name, system="Be brief.", **QUICK)


def test_a_score_says_that_an_expert_was_fitted_with_another_template(plain, model):
    condition = f"expert:{plain.expert_of('SAU')}"
    asked = {"country": "SAU", "model": str(model), "conditions": [condition], "resamples": 10}
    otherwise = bba.score("vsm2013", cache=False, **asked)
    assert any("--chat-template 'none' --system 'Be brief.'" in note for note in otherwise.notes)
    same = bba.score("vsm2013", chat_template="none", system="Be brief.", cache=False, **asked)
    assert not any("other text around" in note for note in same.notes)


def test_an_expert_answers_the_next_day_as_on_the_day_it_was_fitted(model, tmp_path, monkeypatch):
    """A template that writes the date writes that of the fit."""
    template = tmp_path / "dated.jinja"
    template.write_text(DATED)
    asked = {"model": str(model), "chat_template": str(template)}
    run = bba.fit("SAU", runs=tmp_path, **asked, **QUICK)
    score = {"country": "SAU", "conditions": [f"expert:{run.expert_of('SAU')}"], "cache": False}
    today = bba.score("vsm2013", **score, **asked)

    class Tomorrow(datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2031, 2, 3)

    monkeypatch.setattr(chat, "datetime", Tomorrow)
    assert answers_of(bba.score("vsm2013", **score, **asked)) == answers_of(today)
    score["conditions"] = ["none"]
    assert answers_of(bba.score("vsm2013", **score, **asked)) != answers_of(today)


def test_a_template_that_is_not_there_is_told(model, tmp_path):
    with pytest.raises(SpecificationError, match=r"no file 'nowhere\.jinja'"):
        bba.fit("SAU", model=model, runs=tmp_path, chat_template="nowhere.jinja", **QUICK)
    assert not list(tmp_path.iterdir())
