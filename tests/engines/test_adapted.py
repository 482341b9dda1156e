"""A LoRA's folder as a model: its base with the LoRA merged in, known by the content of both."""

from __future__ import annotations

import json
import shutil

import pytest
import torch

from blackbox_align.engines.adapted import import_for_peft
from blackbox_align.engines.checkpoint import find_model
from blackbox_align.errors import ModelError, SpecificationError
from tests.small_models import save_small_model


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with a base, a LoRA on it as PEFT leaves it, and the logits of PEFT's own model."""
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaForCausalLM

    folder = tmp_path_factory.mktemp("lora")
    save_small_model("llama", folder / "base")
    model = LlamaForCausalLM.from_pretrained(folder / "base")
    config = LoraConfig(
        r=2, target_modules=["q_proj", "down_proj"], init_lora_weights=False, task_type="CAUSAL_LM"
    )
    import_for_peft()
    torch.manual_seed(0)
    adapted = get_peft_model(model, config).eval()
    adapted.save_pretrained(folder / "lora")
    with torch.inference_mode():
        logits = adapted(input_ids=torch.tensor([[1, 5, 9, 7]])).logits
    return folder, logits


@pytest.fixture
def place(saved, tmp_path):
    """Copies that may be spoilt."""
    shutil.copytree(saved[0], tmp_path, dirs_exist_ok=True)
    write(tmp_path, base_model_name_or_path=str(tmp_path / "base"))
    return tmp_path


def write(folder, **changes):
    path = folder / "lora" / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def found(folder):
    return find_model(str(folder / "lora"), device="cpu")


def test_it_answers_as_peft_does(saved, place):
    """And the base by itself does not."""
    checkpoint, ids = found(place), torch.tensor([[1, 5, 9, 7]])
    with torch.inference_mode():
        logits = checkpoint.model.model(input_ids=ids).logits
        plain = find_model(str(place / "base"), device="cpu").model.model(input_ids=ids).logits
    torch.testing.assert_close(logits, saved[1], atol=1e-5, rtol=1e-5)
    assert (logits - plain).abs().max() > 1e-3
    assert checkpoint.model.name.endswith("lora") and not hasattr(
        checkpoint.model.model, "peft_config"
    )


def test_its_identity_is_the_content_of_both(place, tmp_path):
    """Wherever they lie; another base or another LoRA is another model."""
    before = found(place).revision
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(place / "base", elsewhere / "base")
    shutil.copytree(place / "lora", elsewhere / "lora")
    write(elsewhere, base_model_name_or_path="somebody/base")  # it lies beside the LoRA
    assert found(elsewhere).revision == before != find_model(str(place / "base")).revision
    write(place, lora_alpha=99)
    assert found(place).revision != before
    config = elsewhere / "base" / "config.json"
    config.write_text(config.read_text().replace('"rms_norm_eps": 1e-06', '"rms_norm_eps": 1e-05'))
    assert found(elsewhere).revision != before


def test_what_is_missing_is_said(place):
    """No base there, none named, another kind, a revision of a folder, and a file that is damaged."""
    with pytest.raises(SpecificationError, match="leave --revision out"):
        find_model(str(place / "lora"), revision="main")
    (place / "lora" / "adapter_model.safetensors").write_bytes(b"cut")
    with pytest.raises(ModelError, match="cannot be put on its base"):
        found(place).model
    write(place, base_model_name_or_path="/nowhere/there")
    with pytest.raises(
        ModelError, match=r"a LoRA on the model '/nowhere/there', which cannot be had"
    ):
        found(place)
    write(place, base_model_name_or_path="")
    with pytest.raises(ModelError, match="names no base"):
        found(place)
    write(place, peft_type="IA3")
    with pytest.raises(ModelError, match="of the kind IA3"):
        found(place)
