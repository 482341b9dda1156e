from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

import blackbox_align as bba
from blackbox_align.engines.checkpoint import load_model
from blackbox_align.engines.local.in_process import InProcessEvaluator
from blackbox_align.engines.local.questions import tokenize_survey
from blackbox_align.errors import ExpertError
from blackbox_align.experts import write_expert
from blackbox_align.models import packaged_models
from blackbox_align.objectives.constants import raw_indices
from blackbox_align.surveys import item_means
from tests.small_models import ARCHITECTURES, save_small_model


@pytest.fixture(scope="module", params=["respondent-tiny", *ARCHITECTURES])
def fitted(request, tmp_path_factory):
    """A short fit, and the folder of its base model."""
    if request.param == "respondent-tiny":
        folder = packaged_models()[request.param]
    else:
        folder = save_small_model(request.param, tmp_path_factory.mktemp(request.param))
    run = bba.fit(
        "SAU",
        model=request.param if request.param == "respondent-tiny" else str(folder),
        runs=tmp_path_factory.mktemp("runs"),
        optimizer="random",
        budget=32,
    )
    return run, folder


@torch.inference_mode()
def test_peft_answers_with_the_expert_as_the_search_did(fitted):
    """Loaded afresh by PEFT and asked plainly, the label probabilities are the evaluator's."""
    run, folder = fitted
    survey = bba.load_survey("vsm2013")
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    adapted = PeftModel.from_pretrained(base, str(run.expert))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ours = InProcessEvaluator(load_model(str(folder), device="cpu", dtype="float32"))
    prompt = bba.read_expert(run.expert).soft_prompt()
    answers = ours.answer(prompt[None], survey)[0]
    unprompted = ours.answer(prompt[None, :0], survey)[0]
    assert np.abs(answers - unprompted).max() > 1e-3, "a prompt without effect would prove nothing"
    for row, question in zip(answers, tokenize_survey(survey, tokenizer), strict=True):
        logits = adapted(input_ids=torch.tensor([question.context])).logits[0, -1]
        through_peft = logits[list(question.labels)].softmax(-1).numpy()
        np.testing.assert_allclose(row, through_peft, atol=1e-4)


def test_the_folder_holds_what_peft_needs_and_our_card(fitted):
    """Task type (without it PEFT ignores the prompt), base model, provenance and limits are there."""
    run, _ = fitted
    config = json.loads((run.expert / "adapter_config.json").read_text())
    assert config["peft_type"] == "PROMPT_TUNING" and config["task_type"] == "CAUSAL_LM"
    expert = bba.read_expert(run.expert)
    assert expert.soft_prompt().dtype == np.float32 and len(expert.soft_prompt()) == 5
    for key in ("country", "targets", "constants", "facts", "errors", "seed", "versions", "limits"):
        assert expert.metadata[key] is not None
    card = (run.expert / "README.md").read_text()
    assert "Not for judging individuals" in card and f"{run.loss:.2f}" in card


def test_a_prompt_that_stands_last_is_kept_from_peft(tmp_path):
    """Its expert answers as the search did, has no PEFT configuration, and refuses an export."""
    run = bba.fit("SAU", placement="last", runs=tmp_path, optimizer="random", budget=32)
    expert = bba.read_expert(run.expert)
    assert expert.placement == "last" and not (run.expert / "adapter_config.json").exists()
    evaluator = InProcessEvaluator(load_model(), placement="last")
    survey = bba.load_survey("vsm2013")
    means = item_means(evaluator.answer(expert.soft_prompt()[None], survey), survey)
    raw = raw_indices(survey, means)[0]
    np.testing.assert_allclose(
        raw + list(run.result["constants"]["values"].values()), run.table()["fitted"], atol=1e-3
    )
    with pytest.raises(ExpertError, match="PEFT puts every soft prompt before the whole text"):
        expert.peft_folder()
    assert "PEFT cannot load it" in (run.expert / "README.md").read_text()


def test_a_prompt_that_peft_answers_otherwise_is_not_written(tmp_path):
    """If the answers do not match, there is a sentence and no folder; an earlier one stays."""
    model = load_model()
    survey = bba.load_survey("vsm2013")
    prompt = np.zeros((2, model.embedding_width), np.float32)
    wrong = np.full((24, 5), 0.2, np.float32)
    (tmp_path / "expert").mkdir()
    (tmp_path / "expert" / "earlier").touch()
    with pytest.raises(ExpertError, match="Through PEFT the prompt gives other answers"):
        write_expert(tmp_path / "expert", prompt, model, [(survey, wrong)], {"placement": "first"})
    assert [p.name for p in tmp_path.rglob("*")] == ["expert", "earlier"]
