"""A model that is asked only what is not known, and loaded only if it has to be asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from blackbox_align.assessment import score
from blackbox_align.assessment.answer_cache import AnswerCache
from blackbox_align.assessment.model_evaluator import ModelEvaluator
from blackbox_align.engines import checkpoint as language_model
from blackbox_align.engines.checkpoint import find_model
from blackbox_align.engines.local.in_process import InProcessEvaluator
from blackbox_align.fitting import fit
from blackbox_align.surveys import load_survey
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


def test_a_second_score_loads_no_model_and_gives_the_same_table(opinions, loads):
    """All answers of the second one come from the disk, and the table is the same to the bit."""
    asked = {"conditions": ["none", "icl"], "device": "cpu", "resamples": 20}
    first = score(opinions, **asked)
    assert loads == ["respondent-tiny"]
    assert score(opinions, **asked).to_dict() == first.to_dict() and len(loads) == 1
    assert score(opinions, country="KEN", **asked).value("icl", country="KEN") == first.value(
        "icl", country="KEN"
    )
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


def test_answers_are_those_of_the_evaluator_whatever_is_known(tmp_path):
    """From the disk, from the model, or half and half: what comes back is what the model says."""
    found = find_model(device="cpu")
    survey, cache = load_survey("vsm2013"), AnswerCache(tmp_path / "answers.sqlite")
    evaluator = ModelEvaluator(found, cache)
    prompts = np.random.default_rng(0).normal(size=(2, 3, found.model.embedding_width))
    prompts = prompts.astype(np.float32)
    expected = InProcessEvaluator(found.model).answer(prompts, survey)
    half = replace(survey, items=survey.items[::2], indices=())
    evaluator.answer(prompts, half)
    for _ in range(2):
        np.testing.assert_allclose(evaluator.answer(prompts, survey), expected, atol=1e-6)
    assert cache.size()[0] == 2 * len(survey.items)
    evaluator.answer(prompts[:, :0], survey)
    assert cache.size()[0] == 3 * len(survey.items), "no prompt is a prompt of its own"


def test_answers_that_are_no_numbers_are_not_kept(tmp_path):
    """A broken model is asked again next time, when it may have been mended."""
    cache = AnswerCache(tmp_path / "answers.sqlite")
    found = find_model(device="cpu")
    evaluator = ModelEvaluator(found, cache)
    broken = np.full((1, 2, found.model.embedding_width), np.nan, np.float32)
    assert np.isnan(evaluator.answer(broken, load_survey("vsm2013"))).all()
    assert cache.size()[0] == 0


def test_a_cache_in_trouble_costs_a_note_and_no_result(opinions, cache_home):
    """With a file that is no database the table is the same, and says why nothing was kept."""
    asked = {"device": "cpu", "resamples": 20}
    expected = score(opinions, **asked, cache=False)
    path = AnswerCache().path
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no database" * 500)
    table = score(opinions, **asked)
    assert table.to_dict()["scores"] == expected.to_dict()["scores"]
    assert any("could not be kept" in note and "not a database" in note for note in table.notes)


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


def test_an_expert_that_stands_last_is_asked_there(opinions, tmp_path):
    """A prompt fitted for the place before the answer is put there, with answers of its own."""
    fitted = {"country": "KEN", "device": "cpu", "optimizer": "random", "budget": 4, "tokens": 2}
    run = fit(**fitted, runs=tmp_path, name="last", placement="last")
    table = score("vsm2013", country="KEN", conditions=[f"expert:{run.path}"], device="cpu")
    assert table.value(f"expert:{run.path}") == pytest.approx(run.result["loss"], abs=1e-3)
