"""A prompt that still speaks: the language in the loss, in the journal, in the card, and in what goes on."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import blackbox_align as bba
from blackbox_align.adapters import Adapter
from blackbox_align.assessment.language import measure_language
from blackbox_align.committee import Committee, Decision
from blackbox_align.engines import EngineInfo
from blackbox_align.engines import open as open_engine
from blackbox_align.errors import ExpertError, ModelError, SpecificationError
from blackbox_align.experts import read_expert
from blackbox_align.fitting.asking import search_space
from blackbox_align.fitting.data import PROMPT, generator
from blackbox_align.fitting.settled import settle
from blackbox_align.fitting.specification import Specification
from blackbox_align.objectives import Language
from blackbox_align.results.language import Language as Left
from blackbox_align.surveys import load_survey
from blackbox_align.surveys.neutral_texts import neutral_texts
from blackbox_align.surveys.sheet import Sheet, sheet
from tests.small_models import save_small_model

READS = EngineInfo("m", can=frozenset({"answer", "read"}))


def test_what_is_left_to_the_model_follows_from_what_it_is():
    """By gradients chat models take the prompt into the message and keep their language; a search without
    one looks right before the answer; who cannot write has no language."""
    asked = Specification("SAU")
    info = replace(READS, placement="message", searched="last")
    chat = settle(asked, info, {}, uses_gradient=True)
    assert (chat.placement, chat.tokens, chat.language) == ("message", 5, 1.0)
    plain = settle(asked, info, {})
    assert (plain.placement, plain.tokens, plain.language) == ("last", 1, 0.0)
    assert settle(replace(asked, placement="message"), info, {}).tokens == 5
    assert settle(asked, info, {"placement": "last", "length": 3}).tokens == 3
    drawn = replace(asked, readout="sampled")
    assert settle(drawn, info, {}).tokens == 1
    assert settle(replace(drawn, placement="first"), info, {}).tokens == 20, "steps are heard"
    assert settle(replace(drawn, placement="first"), info, {"length": 5}).tokens == 5
    assert settle(replace(drawn, placement="first", tokens=2), info, {}).tokens == 2
    assert chat.orders == "reversed"
    opinions = replace(asked, objective="opinions")
    assert settle(opinions, info, {}).orders == "cyclic", "two directions do not cancel a place"
    assert settle(opinions, replace(info, orders="1"), {}).orders == "1"
    assert settle(opinions, info, {"orders": "reversed"}).orders == "reversed"
    assert settle(asked, replace(READS, writes=False), {}).language == 0.0
    assert settle(asked, READS, {}).placement == "first"
    assert settle(replace(asked, placement="last"), READS, {}).language == 0.0
    recorded = {"placement": "first", "language": 0.5, "orders": "1"}
    again = settle(asked, replace(READS, placement="message"), recorded)
    assert (again.placement, again.language, again.orders) == ("first", 0.5, "1")
    with pytest.raises(ModelError, match="reads no texts"):
        settle(replace(asked, language=1.0), EngineInfo("f"), {})
    with pytest.raises(SpecificationError, match="weight of the language"):
        Specification("SAU", language=-1.0)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """On the embedded model, whose language says nothing, but moves like any."""
    folder = tmp_path_factory.mktemp("runs")
    settings = {"runs": folder, "optimizer": "adam", "tokens": 2, "target_loss": 0.0}
    free = bba.fit("SAU", budget=8, name="free", **settings)
    kept = bba.fit("SAU", budget=8, name="kept", language=100.0, **settings)
    return free, kept, settings


def test_a_search_that_weighs_the_language_moves_it_less(runs):
    """Its losses are errors and what the language adds; the journal says both, for people as well."""
    free, kept, _ = runs
    assert free.entries()[0].texts is None and free.record["facts"]["language"] == 0.0
    assert "divergence" not in free.history()
    history = kept.history()
    added = history["loss"] - history["error"]
    assert added.to_numpy() == pytest.approx(
        Language(100.0).factor * history["divergence"].to_numpy()
    )
    last = free.entries()[-1]
    with open_engine(device="cpu") as engine:
        space = search_space(free.specification, engine, generator(free.specification, PROMPT))
        vectors = free._record.past(vectors=True).vectors_of(last)
        read = engine.answer(space.adapters(vectors), Sheet((), neutral_texts().search))
    assert history["divergence"].iloc[-1] < 0.8 * Language(100.0).divergences(read.divergence)[0]
    assert kept.entries()[0].texts.shape == (2, 1, len(neutral_texts().search))
    line = json.loads((kept.path / "journal.jsonl").read_text().splitlines()[0])
    assert line["divergence"][0] == pytest.approx(history["divergence"].iloc[0], abs=1e-5)
    assert line["perplexity"][0] > 1


def test_a_search_that_weighs_the_language_goes_on_on_equal_bits(runs):
    """What was read is in the record, and nothing of it is read again."""
    _, kept, settings = runs
    bba.fit("SAU", budget=3, name="cut", language=100.0, **settings)
    cut = bba.fit("SAU", budget=8, name="cut", **settings)  # the weight is taken from the record
    for file in ("journal.jsonl", "vectors.f64", "expert/adapter_model.safetensors"):
        assert (cut.path / file).read_bytes() == (kept.path / file).read_bytes()
    with pytest.raises(bba.BlackboxAlignError, match=r"--language: 100\.0 then, 1\.0 now"):
        bba.fit("SAU", budget=9, name="cut", language=1.0, **settings)


def test_the_vector_searches_see_the_language_as_one_residual_more(runs):
    """Gauss-Newton, and the one for several countries, whose targets have a column of nothing for it."""
    *_, settings = runs
    for country in ("SAU", "SAU,CHN"):
        run = bba.fit(
            country.split(","), **{**settings, "optimizer": "gauss-newton"}, budget=24, language=1.0
        )
        last = run.entries()[-1]
        assert last.texts.shape[1] == len(last.answers)
        assert run.loss < 40


def test_an_expert_that_lost_the_language_writes_no_texts(runs):
    """A committee refuses it in a sentence; one of which nothing is known writes."""
    expert = read_expert(runs[0].expert)
    assert expert.card.language is None and expert.card.speaks
    expert.refuse_speechless()
    told = {"SAU": Left(20, 5.0, np.log(2185.0), np.log(15.0))}
    lost = replace(
        expert, card=replace(expert.card, result=replace(expert.card.result, language=told))
    )
    assert not lost.card.speaks
    with pytest.raises(ExpertError, match=r"145\.7 times as perplexing.*questionnaires only"):
        lost.refuse_speechless()


def test_the_front_of_fit_against_language_is_in_the_result(runs, bbalign):
    """What no other evaluation betters in both, and a table of it by --pareto."""
    _, kept, settings = runs
    front = kept.result.search.fronts["SAU"]
    history = kept.history()
    for row in front:
        here = history.loc[row["evaluation"]]
        assert (row["indices"], row["language"]) == pytest.approx(
            (here.error, here.divergence), abs=1e-4
        )
        better = (history.error < row["indices"]) & (history.divergence < row["language"])
        assert not better.any()
    shown = bbalign(
        "fit", "--country", "SAU", "--optimizer", "adam", "--tokens", "2", "--target-loss", "0",
        "--budget", "8", "--runs", str(settings["runs"]), "--name", "kept", "--pareto",
    )  # fmt: skip
    assert "nats a token that the language moves" in shown.stdout


@pytest.fixture(scope="module")
def chat(tmp_path_factory):
    """A fit with every setting left to a chat model of random weights, which writes as it can."""
    folder = tmp_path_factory.mktemp("chat")
    model = save_small_model("llama-chat", folder / "model")
    return bba.fit(
        "SAU", model=model, optimizer="adam", tokens=1, budget=3, runs=folder / "runs", device="cpu"
    )


def test_a_fit_of_a_chat_model_keeps_and_reports_its_language(chat, bbalign):
    """Inside the message, weighed, read on other texts; in the result, the card and on the screen."""
    facts = chat.record["facts"]
    assert (facts["placement"], facts["language"], facts["orders"]) == ("message", 1.0, "reversed")
    expert = read_expert(chat.expert)
    assert expert.placement == "message"
    told = chat.result.language["SAU"]
    with open_engine(chat.specification.model, device="cpu") as engine:
        adapters = [Adapter(), expert.adapter()]
        read = engine.answer(adapters, Sheet((), neutral_texts().held_out))
        [again] = measure_language(engine, adapters[1:], sheet(load_survey("vsm2013")).questions)
    assert told.surprise == pytest.approx(read.surprise[1].mean(), abs=1e-5)
    assert told.ratio == pytest.approx(
        float(np.exp(np.diff(read.surprise.mean(axis=1))[0])), abs=1e-4
    )
    assert told.divergence == pytest.approx(read.divergence[1].mean(), abs=1e-5)
    assert (
        0 < told.mass < 1 and told.norm > 0 and again.lines == told.lines and len(told.lines) == 3
    )
    assert told.weight == 1.0 and expert.card.speaks
    for text in ((chat.expert / "README.md").read_text(), bbalign("show", chat.path).stdout):
        assert "Language, on 20 plain texts that no search read: perplexity" in text
        assert "times as long as a word's" in text and "'Why is the sky blue?'" in text


def test_a_committee_lets_none_write_that_lost_the_language(chat):
    """Closed questions it goes on answering."""
    expert = read_expert(chat.expert)
    told = {"SAU": Left(20, 5.0, 9.0, 2.0)}
    lost = replace(
        expert, card=replace(expert.card, result=replace(expert.card.result, language=told))
    )
    decision = Decision({lost.name: 1.0}, "stated", ("It was asked for.",))
    with open_engine(chat.specification.model, device="cpu") as engine:
        committee = Committee(engine, (lost,), lambda query: decision)
        assert committee.parts(Sheet(sheet(load_survey("vsm2013")).questions[:1]), decision).size
        with pytest.raises(ExpertError, match="questionnaires only"):
            committee.requests("Hello", decision, "parts")


@pytest.mark.slow
def test_the_doctor_tells_what_an_expert_leaves_of_the_language(chat, bbalign):
    """The sentences of its card, and how the precision hears."""
    model = chat.specification.model
    shown = bbalign("doctor", "--model", model, "--expert", chat.path, "--device", "cpu", "--json")
    findings = {one["name"]: one for one in json.loads(shown.stdout)}
    said = (chat.expert / "README.md").read_text()
    assert findings["language under the expert"]["value"].partition(" times)")[0] in said
    assert "rounding in float32 moves an index by" in findings["precision"]["value"]
    assert findings["precision"]["fine"]
