"""A prompt that still speaks: the language in the loss, in the journal, in the card, and in what goes on."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import blackbox_align as bba
from blackbox_align.engines import EngineInfo
from blackbox_align.engines import open as open_engine
from blackbox_align.errors import ExpertError, ModelError, SpecificationError
from blackbox_align.experts import read_expert
from blackbox_align.fitting.asking import search_space
from blackbox_align.fitting.problem import PROMPT, generator
from blackbox_align.fitting.settled import settle
from blackbox_align.fitting.specification import Specification
from blackbox_align.objectives import Language
from blackbox_align.results.language import Language as Left
from blackbox_align.surveys.neutral_texts import neutral_texts
from blackbox_align.surveys.sheet import Sheet

READS = EngineInfo("m", can=frozenset({"answer", "read"}))


def test_what_is_left_to_the_model_follows_from_what_it_is():
    """Chat models take the prompt into the message and keep their language; who cannot write has none."""
    asked = Specification("SAU")
    chat = settle(asked, replace(READS, placement="message"), {})
    assert (chat.placement, chat.language, chat.orders) == ("message", 1.0, "reversed")
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
    kept = bba.fit("SAU", budget=8, name="kept", language=20.0, **settings)
    return free, kept, settings


def test_a_search_that_weighs_the_language_moves_it_less(runs):
    """Its losses are errors and what the language adds; the journal says both, for people as well."""
    free, kept, _ = runs
    assert free.entries()[0].texts is None and free.record["facts"]["language"] == 0.0
    assert "divergence" not in free.history()
    history = kept.history()
    added = history["loss"] - history["error"]
    assert added.to_numpy() == pytest.approx(
        Language(20.0).factor * history["divergence"].to_numpy()
    )
    last = free.entries()[-1]
    with open_engine(device="cpu") as engine:
        space = search_space(free.specification, engine, generator(free.specification, PROMPT))
        vectors = free._record.past(vectors=True).vectors_of(last)
        read = engine.answer(space.adapters(vectors), Sheet((), neutral_texts().search))
    assert history["divergence"].iloc[-1] < 0.8 * Language(20.0).divergences(read.divergence)[0]
    assert kept.entries()[0].texts.shape == (2, 1, len(neutral_texts().search))
    line = json.loads((kept.path / "journal.jsonl").read_text().splitlines()[0])
    assert line["divergence"][0] == pytest.approx(history["divergence"].iloc[0], abs=1e-5)
    assert line["perplexity"][0] > 1


def test_a_search_that_weighs_the_language_goes_on_on_equal_bits(runs):
    """What was read is in the record, and nothing of it is read again."""
    _, kept, settings = runs
    bba.fit("SAU", budget=3, name="cut", language=20.0, **settings)
    cut = bba.fit("SAU", budget=8, name="cut", **settings)  # the weight is taken from the record
    for file in ("journal.jsonl", "vectors.f64", "expert/adapter_model.safetensors"):
        assert (cut.path / file).read_bytes() == (kept.path / file).read_bytes()
    with pytest.raises(bba.BlackboxAlignError, match=r"--language: 20\.0 then, 1\.0 now"):
        bba.fit("SAU", budget=9, name="cut", language=1.0, **settings)


def test_the_vector_searches_see_the_language_as_one_residual_more(runs):
    """Gauss-Newton, and the one for several countries, whose targets have a column of nothing for it."""
    *_, settings = runs
    for country in ("SAU", "SAU,CHN"):
        run = bba.fit(
            country.split(","), **{**settings, "optimizer": "gauss-newton"}, budget=24, language=1.0
        )
        assert run.entries()[-1].texts.shape[1] == 12
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
