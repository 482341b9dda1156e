from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from peft import AutoPeftModelForCausalLM, LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

import blackbox_align as bba
from blackbox_align.adapters import Adapter, SoftPrompt
from blackbox_align.engines.checkpoint import load_model
from blackbox_align.engines.local.engine import LocalEngine
from blackbox_align.engines.local.questions import tokenize_survey
from blackbox_align.errors import ExpertError
from blackbox_align.experts import read_expert, write_expert
from blackbox_align.experts.peft_files import read_peft
from blackbox_align.models import packaged_models
from blackbox_align.objectives.constants import raw_indices
from blackbox_align.surveys import item_means
from blackbox_align.surveys.sheet import average, sheet
from tests.experts.hand_made import PROOF, card
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
        placement="first",  # PEFT's own; that of a chat model is another
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
    ours = LocalEngine(load_model(str(folder), device="cpu", dtype="float32"))
    prompt = SoftPrompt(bba.read_expert(run.expert).soft_prompt())
    given = ours.answer([Adapter(prompt=prompt), Adapter()], sheet(survey)).probabilities
    answers, unprompted = average(given, survey, "1")
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
    provenance = expert.card.result.provenance
    assert provenance.instruments[0].targets and provenance.instruments[0].constants
    assert provenance.revision == expert.card.revision and provenance.versions
    assert expert.proof is not None and 0 <= expert.proof.difference <= expert.proof.allowed
    assert expert.card.settings["country"] == "SAU" and expert.card.limits
    card = (run.expert / "README.md").read_text()
    assert "Not for judging individuals" in card and f"{run.loss:.2f}" in card


@torch.inference_mode()
def test_auto_peft_finds_the_base_model_from_anywhere(fitted, tmp_path, monkeypatch):
    """One line of PEFT loads base and expert, and answers as with the two loaded one by one."""
    run, folder = fitted
    monkeypatch.chdir(tmp_path)
    adapted = AutoPeftModelForCausalLM.from_pretrained(run.expert)
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    expected = PeftModel.from_pretrained(base, str(run.expert))
    ids = torch.arange(5, 25)[None]
    np.testing.assert_allclose(
        adapted(input_ids=ids).logits, expected(input_ids=ids).logits, atol=1e-5
    )
    assert "AutoPeftModelForCausalLM" in (run.expert / "README.md").read_text()


def test_a_prompt_that_stands_last_is_kept_from_peft(tmp_path):
    """Its expert answers as the search did, has no PEFT configuration, and refuses an export."""
    run = bba.fit("SAU", placement="last", runs=tmp_path, optimizer="random", budget=32)
    expert = bba.read_expert(run.expert)
    assert expert.placement == "last" and not (run.expert / "adapter_config.json").exists()
    survey, adapter = (
        bba.load_survey("vsm2013"),
        Adapter(prompt=SoftPrompt(expert.soft_prompt(), "last")),
    )
    given = LocalEngine(load_model()).answer([adapter], sheet(survey, "reversed")).probabilities
    means = item_means(average(given, survey, "reversed"), survey)
    raw = raw_indices(survey, means)[0]
    np.testing.assert_allclose(
        raw + list(run.result.provenance.instruments[0].constants.values()),
        run.table()["fitted"],
        atol=1e-3,
    )
    with pytest.raises(ExpertError, match="PEFT puts every soft prompt before the whole text"):
        expert.peft_folder()
    assert "PEFT cannot load it" in (run.expert / "README.md").read_text()


@pytest.mark.parametrize(
    "more",
    [
        {"lora_alpha": 7},
        {"lora_alpha": 7, "use_rslora": True},
        {"rank_pattern": {"layers.0.self_attn.q_proj": 2}, "alpha_pattern": {"v_proj": 3}},
    ],
    ids=str,
)
@torch.inference_mode()
def test_a_lora_of_peft_is_an_expert_and_back(more, tmp_path):
    """Updates times their scale are what PEFT adds to the weights, read from its files and from ours."""
    folder = save_small_model("llama", tmp_path / "model")
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    plain = {name: weight.clone() for name, weight in base.named_parameters()}
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=4,
        target_modules=["q_proj", "v_proj"],
        init_lora_weights=False,
        **more,
    )
    torch.manual_seed(0)
    adapted = get_peft_model(base, config)
    adapted.save_pretrained(tmp_path / "peft")
    (tmp_path / "peft" / "adapter_config.json").read_text()
    adapter = read_peft(tmp_path / "peft")
    merged = adapted.merge_and_unload()
    for name, weight in merged.named_parameters():
        module = name.removesuffix(".weight")
        update = 0.0
        if module in adapter.loras[0].updates:
            a, b = adapter.loras[0].updates[module]
            update = b @ a
        np.testing.assert_allclose(weight - plain[name], update, atol=1e-5)
    expert = write_expert(tmp_path / "expert", adapter, card(str(folder)), PROOF)
    assert read_expert(expert.path).adapter().digest() == adapter.digest()
    again = AutoPeftModelForCausalLM.from_pretrained(expert.peft_folder())
    ids = torch.arange(5, 25)[None]
    np.testing.assert_allclose(again(input_ids=ids).logits, merged(input_ids=ids).logits, atol=1e-4)


@pytest.mark.parametrize(
    "more", [{"use_dora": True}, {"bias": "all"}, {"modules_to_save": ["lm_head"]}], ids=str
)
def test_a_lora_that_changes_more_than_updates_do_is_refused(more, tmp_path):
    """What we would not apply is not taken for the whole of it."""
    folder = save_small_model("llama", tmp_path / "model")
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    config = LoraConfig(task_type="CAUSAL_LM", r=2, target_modules=["q_proj"], **more)
    get_peft_model(base, config).save_pretrained(tmp_path / "peft")
    with pytest.raises(
        ExpertError, match=f"changes more than low-rank updates do.*{next(iter(more))}"
    ):
        read_peft(tmp_path / "peft")
