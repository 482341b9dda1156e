"""Drafts, self-regulation and decision, without a model that chats and with one; the journal of calls."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from blackbox_align.adapters.adapter import Adapter, Lora
from blackbox_align.assessment.asking import Asking, ask
from blackbox_align.engines.base import Answers, Sampling
from blackbox_align.engines.function import FunctionEngine
from blackbox_align.engines.local.engine import LocalEngine
from blackbox_align.errors import RunError, UnknownNameError
from blackbox_align.experts import Card, prove, write_expert
from blackbox_align.palette.agents import (
    Drafts,
    Writers,
    decide,
    draft,
    prompt_text,
    regulate,
    unregulated,
)
from blackbox_align.palette.calls import CallJournal, call_key
from blackbox_align.palette.palette import write_palette
from blackbox_align.results import Provenance, Result
from blackbox_align.surveys.opinion_files import load_opinions
from blackbox_align.surveys.sheet import sheet
from tests.architectures import build_model
from tests.assessment.test_entailment import write as write_judge
from tests.palette.conftest import TWO

EXPERIMENT = Path(__file__).parents[2] / "experiments" / "cultural_palette"
SHORT = Sampling(10)
SURVEY = load_opinions("world-opinions").survey


# -- without a model that chats -----------------------------------------------------------------------


def test_a_draft_is_each_colours_own_answer(fitted, engine):
    """All items, averaged over the orders, in the map's order."""
    drafts = draft(fitted, engine, SURVEY, Asking("1"))
    alone, _ = ask(engine, SURVEY, [fitted.adapters()[1]], Asking("1"))
    np.testing.assert_allclose(drafts.shares[1], alone[0], atol=1e-6)
    assert drafts.names == ("Africa", "Europe")


def test_a_tally_names_labels_as_they_are_shown():
    """The likeliest option under the order in which options come; of a near tie nothing is said."""
    shares = np.array([[[0.5, 0.3, 0.2], [0.4, 0.38, 0.22]], [[0.1, 0.2, 0.7], [0.2, 0.2, 0.6]]])
    drafts = Drafts(("Africa", "Europe"), shares)
    plain, told = unregulated(drafts), regulate(drafts)
    labels = ("A", "B", "C")
    assert plain.lines(0, labels, (0, 1, 2)) == "From Africa answer A.\nFrom Europe answer C."
    assert plain.lines(0, labels, (2, 1, 0)) == "From Africa answer C.\nFrom Europe answer A."
    assert told.lines(1, labels, (0, 1, 2)) == "From Europe answer C."
    assert plain.lines(1, labels, (0, 1, 2)).startswith("From Africa answer A.")


def test_a_decision_reads_country_then_tally_then_question():
    """And answers are averaged back to the options' own order."""
    asked = []

    def answer(adapters, questions):
        for question in questions.questions:
            asked.append(f"{adapters[0].text}\n{question.text}")
        rows = np.zeros((len(adapters), len(questions.questions), questions.width))
        rows[..., 0] = 1.0  # always the option that is shown first
        return Answers.of(rows)

    tally = unregulated(Drafts(("Africa",), np.eye(4)[np.full((1, len(SURVEY.items)), 1)]))
    given = decide(
        FunctionEngine(answer), [Adapter("You live in Chad.")], SURVEY, "reversed", tally
    )
    size = len(SURVEY.items[0].scale)
    assert given[0, 0, 0] == given[0, 0, size - 1] == 0.5
    assert asked[0].startswith("You live in Chad.\nFrom Africa answer B.\n")
    turned = next(text for text in asked if "A = unimportant" in text)
    assert "From Africa answer C." in turned


def test_without_a_tally_a_decision_is_the_plain_answer(engine):
    given = decide(engine, [Adapter()], SURVEY, "1")
    plain, _ = ask(engine, SURVEY, [Adapter()], Asking("1"))
    np.testing.assert_allclose(given, plain, atol=1e-6)


# -- with a model that chats --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def writing(tmp_path_factory):
    """A random chat model with two LoRA as colours."""
    folder = tmp_path_factory.mktemp("writing")
    engine = LocalEngine(build_model("llama", max_position_embeddings=2048))
    places = {}
    for number, code in enumerate(TWO.codes):
        generator = np.random.default_rng(number)
        updates = {
            f"model.layers.{layer}.mlp.up_proj": (
                generator.normal(size=(2, 32)).astype(np.float32),
                generator.normal(size=(48, 2)).astype(np.float32),
            )
            for layer in range(2)
        }
        adapter = Adapter(loras=(Lora(updates),))
        info = engine.info
        result = Result((), (), (), Provenance((), {code: code}, info.name, info.revision))
        proof = prove(engine, adapter, sheet(SURVEY))
        write_expert(folder / code, adapter, Card.of(result, code), proof)
        places[code] = folder / code
    return engine, write_palette(folder / "palette", TWO, places, engine)


def test_drafts_are_written_once(writing, tmp_path):
    """In one batch as each colour alone writes them; again from the journal, and no model is asked."""
    engine, palette = writing
    writers = Writers(palette, engine, CallJournal(tmp_path / "calls.jsonl"), SHORT)
    drafts = writers.draft("Is it so?", "Kenya")
    assert set(drafts) == {"africa", "europe"} and drafts["africa"] != drafts["europe"]
    silent = FunctionEngine(lambda adapters, questions: 1 / 0, engine.info)
    again = Writers(palette, silent, CallJournal(tmp_path / "calls.jsonl"), SHORT)
    assert again.draft("Is it so?", "Kenya") == drafts
    summary = writers.regulate("Is it so?", "Kenya", drafts)
    again = Writers(palette, silent, CallJournal(tmp_path / "calls.jsonl"), SHORT)
    assert again.regulate("Is it so?", "Kenya", drafts) == summary
    assert len(CallJournal(tmp_path / "calls.jsonl").finished) == 3


def test_open_answers_agree_by_a_named_model_or_are_not_run(writing, tmp_path, monkeypatch):
    """Rows over their floors, of all gold answers; without a model a sentence, and no figure."""
    monkeypatch.syspath_prepend(str(EXPERIMENT))
    import agreement

    engine, palette = writing
    monkeypatch.setattr(agreement, "TOKENS", 4)
    file = tmp_path / "preferences.jsonl"
    lines = [
        {"colour": code, "query": "people here ?", "chosen": said, "rejected": ["they do not"]}
        for code in TWO.codes for said in ("people eat late", "elders eat first")
    ]  # fmt: skip
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    folder, _ = write_judge(tmp_path / "nli", "bert", ("neutral", "entailment", "contradiction"))
    told = agreement.agreement_lines(str(folder), file, palette, engine)
    assert "n = 4 answers of 2 colours" in told[0]
    rows = [line.split("|")[1].strip() for line in told if line.startswith("| ")][1:]
    assert rows[:4] == ["Vanilla", "Prompting", "own colour", "the blend, told the colour"]
    assert rows[4:] and "nothing" in rows
    assert agreement.agreement_lines("", file, palette, engine) == [agreement.NOT_RUN]


def test_the_decision_has_the_summary_in_front(writing):
    """Its shares move with the summary."""
    engine, palette = writing
    writers = Writers(palette, engine, CallJournal())
    one = writers.decide(SURVEY, "1", "You live in Chad.", ["Yes."] * len(SURVEY.items))
    other = writers.decide(SURVEY, "1", "You live in Chad.", ["No."] * len(SURVEY.items))
    assert one.shape == (len(SURVEY.items), SURVEY.width) and np.abs(one - other).max() > 1e-3


def test_prompts_are_versioned_files():
    """Each names what it needs; an unknown version is told."""
    assert "{country}" in prompt_text("draft") and "{drafts}" in prompt_text("regulate")
    with pytest.raises(UnknownNameError, match="draft-9"):
        prompt_text("draft", 9)


# -- the journal --------------------------------------------------------------------------------------


def test_a_torn_line_is_one_call_to_make_again(tmp_path):
    """What stands before it is kept, and the next line follows on it."""
    path = tmp_path / "calls.jsonl"
    journal = CallJournal(path)
    for n in range(3):
        journal.finish(call_key(n=n), text=str(n))
    path.write_bytes(path.read_bytes()[:-5])
    again = CallJournal(path)
    assert again.get(call_key(n=2)) is None and again.get(call_key(n=1))["text"] == "1"
    again.finish(call_key(n=2), text="2")
    assert [line["text"] for line in CallJournal(path).finished.values()] == ["0", "1", "2"]


def test_damage_inside_is_refused(tmp_path):
    path = tmp_path / "calls.jsonl"
    journal = CallJournal(path)
    for n in range(3):
        journal.finish(call_key(n=n), text=str(n))
    content = bytearray(path.read_bytes())
    content[20] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(RunError, match="line 1"):
        CallJournal(path)


def test_keys_follow_all_that_was_asked():
    torch.manual_seed(0)
    assert call_key(a=1, b="x") == call_key(b="x", a=1) != call_key(a=1, b="y")
