"""An engine that asks another one only what it does not know, and loads it only if it has to be asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from blackbox_align.adapters.adapter import Adapter, SoftPrompt
from blackbox_align.assessment import score
from blackbox_align.engines import FunctionEngine
from blackbox_align.engines import checkpoint as language_model
from blackbox_align.engines import kept as kept_module
from blackbox_align.engines.base import Answers, EngineInfo
from blackbox_align.engines.checkpoint import find_model
from blackbox_align.engines.kept import AnswerCache, KeptEngine, open_kept
from blackbox_align.errors import ModelError
from blackbox_align.fitting import fit
from blackbox_align.surveys import load_survey
from blackbox_align.surveys.sheet import Question, Sheet, sheet
from tests.small_models import save_small_model

ROWS = "item,question,option,country,share\n" + "\n".join(
    f"q{n},How much of {n}?,{option},{country},{share}"
    for n in range(9)
    for country, shares in (("Kenya", (0.2, 0.3, 0.5)), ("Ghana", (0.6, 0.3, 0.1)))
    for option, share in zip(("much", "some", "none"), shares, strict=True)
)


@pytest.fixture
def opinions(tmp_path):
    path = tmp_path / "opinions.csv"
    path.write_text(ROWS)
    return path


@pytest.fixture
def loads(monkeypatch):
    """Every load of a model, by name."""
    loaded = []
    load = language_model._from_pretrained

    def counted(checkpoint):
        loaded.append(checkpoint.name)
        return load(checkpoint)

    monkeypatch.setattr(language_model, "_from_pretrained", counted)
    return loaded


@pytest.fixture
def cache(tmp_path):
    return AnswerCache(tmp_path / "answers.sqlite")


# -- in a score ------------------------------------------------------------------------------------


def test_a_second_score_loads_no_model_and_gives_the_same_table(opinions, loads):
    """All answers of the second one come from the disk, and the table is the same to the bit."""
    asked = {"conditions": ["none", "icl"], "device": "cpu", "resamples": 20}
    first = score(opinions, **asked)
    assert loads == ["respondent-tiny"]
    again = score(opinions, **asked)
    assert again == first and len(loads) == 1
    kenya = score(opinions, country="KEN", **asked)
    assert kenya.value("icl", population="KEN") == first.value("icl", population="KEN")
    assert len(loads) == 1, "a part of what was asked is known as well"


@pytest.mark.parametrize(
    "other",
    [
        {"conditions": ["text:Be brief."]},
        {"dtype": "bfloat16"},
        {"labels": "digits"},
        {"orders": "all"},
        {"cache": False},
    ],
    ids=str,
)
def test_what_would_be_answered_otherwise_is_asked(other, opinions, loads):
    """A text, a precision, other labels or orders have answers of their own; --no-cache asks again."""
    asked = {"device": "cpu", "dtype": "float32", "resamples": 20}
    score(opinions, **asked)
    score(opinions, **(asked | other))
    assert len(loads) == 2


def test_a_changed_model_is_asked_again(opinions, loads, tmp_path):
    """The revision is that of the files: new weights under an old name are another model."""
    for seed in (0, 1):
        model = save_small_model("llama", tmp_path / "model", seed=seed)
        score(opinions, model=str(model), device="cpu", resamples=20)
    assert len(loads) == 2


def test_a_model_that_does_not_load_says_so_each_time(opinions, tmp_path):
    """What cannot be loaded is no model that cannot answer: mended, the same score works."""
    model = save_small_model("llama", tmp_path / "model")
    weights = model / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    for _ in range(2):
        with pytest.raises(ModelError, match="cannot be loaded"):
            score(opinions, model=str(model), device="cpu", resamples=20)
    weights.write_bytes(whole)
    assert score(opinions, model=str(model), device="cpu", resamples=20).value("none") > 0


def test_a_failure_to_load_is_never_kept_even_under_the_same_revision(cache):
    """A machine without the memory, or a broken library, is no property of the model."""
    info, question = EngineInfo("m", "one"), Sheet((Question("Q", ("A", "B")),))

    def fail():
        raise ModelError("no memory for it today")

    for _ in range(2):
        broken = KeptEngine(info, [], fail, cache)
        with pytest.raises(ModelError, match="no memory for it today"):
            broken.askable(question)
    assert cache.size()[0] == 0
    works = KeptEngine(info, [], lambda: counting()[0], cache)
    assert works.askable(question) == (None,)


def test_a_cache_in_trouble_costs_a_note_and_no_result(opinions, cache_home):
    """With a file that is no database the table is the same, and says why nothing was kept."""
    asked = {"device": "cpu", "resamples": 20}
    expected = score(opinions, **asked, cache=False)
    path = AnswerCache().path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"no database" * 500)
    table = score(opinions, **asked)
    assert table.to_dict()["figures"] == expected.to_dict()["figures"]
    assert any("could not be kept" in note and "not a database" in note for note in table.notes)


def test_an_expert_that_stands_last_is_asked_there(opinions, tmp_path):
    """A prompt fitted for the place before the answer is put there, with answers of its own."""
    fitted = {"country": "KEN", "device": "cpu", "optimizer": "random", "budget": 4, "tokens": 2}
    run = fit(**fitted, runs=tmp_path, name="last", placement="last")
    table = score("vsm2013", country="KEN", conditions=[f"expert:{run.path}"], device="cpu")
    assert table.value(f"expert:{run.path}") == pytest.approx(run.loss, abs=1e-3)
    assert any("was fitted to these figures" in note for note in table.notes)


# -- alone -----------------------------------------------------------------------------------------


def counting():
    """An engine that answers by what it is asked, and everything that it was asked."""
    asked = []

    def respond(adapters, part):
        asked.append([(a.digest(), q.text) for a in adapters for q in part.questions])
        rows = np.zeros((len(adapters), len(part.questions), part.width), np.float32)
        for row, adapter in zip(rows, adapters, strict=True):
            for shares, question in zip(row, part.questions, strict=True):
                seed = sum(map(ord, adapter.text + question.text)) % 97
                drawn = np.random.default_rng(seed).dirichlet(np.ones(len(question.labels)))
                shares[: len(drawn)] = drawn
        return replace(Answers.of(rows), mass=np.full(rows.shape[:2], 0.7, np.float32))

    return FunctionEngine(respond), asked


QUESTIONS = [Question(f"Question {n}", tuple("ABCDE"[: 2 + n % 4])) for n in range(12)]


def test_only_what_is_not_known_is_asked_and_comes_back_in_its_place(cache):
    """From the disk, from the engine, or half and half: answers and mass are the engine's own."""
    engine, asked = counting()
    kept = KeptEngine(EngineInfo("m", "one"), [], lambda: engine, cache)
    adapters = [Adapter(), Adapter(text="You live in Kenya.")]
    kept.answer(adapters[:1], Sheet(tuple(QUESTIONS[::2])))
    whole = Sheet(tuple(QUESTIONS))
    expected = engine.answer(adapters, whole)
    asked.clear()
    for _ in range(2):
        given = kept.answer(adapters, whole)
        np.testing.assert_array_equal(given.probabilities, expected.probabilities)
        np.testing.assert_array_equal(given.mass, expected.mass)
        assert given.failures == (None, None)
    pairs = [pair for call in asked for pair in call]
    assert len(pairs) == len(set(pairs)) == 6 + 12, "each question under each adapter once"
    assert cache.size()[0] == 24 + 2, (
        "and what is read around a question, and whether it holds the day"
    )


@pytest.mark.parametrize(
    "other",
    [
        EngineInfo("m", "two"),
        EngineInfo("m", "one", dtype="bfloat16"),
        EngineInfo("m", "one", opening="<|system|>Be brief.{question}"),
    ],
    ids=str,
)
def test_another_model_precision_or_template_has_answers_of_its_own(other, cache):
    """Revision, dtype and what stands around a question are part of an answer's key."""
    (first, _), (second, asked) = counting(), counting()
    KeptEngine(EngineInfo("m", "one"), [], lambda: first, cache).answer(
        [Adapter()], Sheet(tuple(QUESTIONS))
    )
    KeptEngine(other, [], lambda: second, cache).answer([Adapter()], Sheet(tuple(QUESTIONS)))
    assert len(asked[0]) == len(QUESTIONS)


def test_a_template_that_writes_the_day_is_asked_again_the_next_day(cache, monkeypatch):
    """What is answered from the disk was answered to the same words, the date among them."""

    class Tomorrow(kept_module.datetime):
        @classmethod
        def now(cls):
            return cls(2031, 5, 6)

    for date, calls in (("2026-11-26", 2), ("", 1)):
        engine, asked = counting()
        engine = replace(engine, info=EngineInfo("m", date, date=date))
        for day in (kept_module.datetime, Tomorrow):
            monkeypatch.setattr(kept_module, "datetime", day)
            kept = KeptEngine(EngineInfo("m", date), [], lambda e=engine: e, cache)
            kept.answer([Adapter()], Sheet(tuple(QUESTIONS)))
        assert len(asked) == calls
        monkeypatch.undo()


def test_answers_that_are_no_numbers_are_not_kept_and_say_why(cache):
    """A broken model is asked again next time, when it may have been mended."""
    broken = FunctionEngine(lambda a, s: np.full((len(a), len(s.questions), s.width), np.nan))
    kept = KeptEngine(EngineInfo("m", "one"), [], lambda: broken, cache)
    given = kept.answer([Adapter()], Sheet(tuple(QUESTIONS)))
    assert np.isnan(given.probabilities).any() and given.failures[0] is not None
    assert cache.size()[0] == 2, "only what is read around a question"


def test_why_a_question_cannot_be_asked_is_known_without_the_model(cache):
    """The sentence of the model is kept with the question."""

    class Letters(FunctionEngine):
        def askable(self, sheet):
            return tuple(
                None if len(q.labels) < 4 else f"no, {q.text} – é" for q in sheet.questions
            )

    first = KeptEngine(EngineInfo("m", "one"), [], lambda: Letters(lambda a, s: 0), cache)
    expected = first.askable(Sheet(tuple(QUESTIONS)))
    assert None in expected and "no, Question 2 – é" in expected
    never = KeptEngine(EngineInfo("m", "one"), [], lambda: pytest.fail("loaded"), cache)
    assert never.askable(Sheet(tuple(QUESTIONS))) == expected


def test_answers_are_those_of_the_model_whatever_is_known():
    """Under soft prompts too, what comes from the disk is what the model says."""
    kept = open_kept("respondent-tiny", device="cpu")
    asked = sheet(load_survey("vsm2013"))
    vectors = np.random.default_rng(0).normal(size=(2, 3, kept.engine.info.width))
    adapters = [Adapter(prompt=SoftPrompt(v.astype(np.float32))) for v in vectors]
    expected = kept.engine.answer(adapters, asked).probabilities
    kept.answer(adapters, Sheet(asked.questions[::2]))
    for _ in range(2):
        np.testing.assert_allclose(kept.answer(adapters, asked).probabilities, expected, atol=1e-6)
    kept.answer([Adapter()], asked)
    assert kept.cache.size()[0] == 3 * len(asked.questions) + 2, "no prompt is a prompt of its own"


def test_a_checkpoint_knows_its_revision_without_loading(loads):
    """Revision, dtype and device are settled before a weight is read, and are those of the model."""
    found = find_model(device="cpu", dtype="bfloat16")
    assert loads == [] and found.dtype == torch.bfloat16
    model = found.model
    assert (model.revision, model.dtype, model.device.type) == (
        found.revision,
        found.dtype,
        found.device.type,
    )
