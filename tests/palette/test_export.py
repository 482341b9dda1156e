"""Mixtures of experts that plain transformers load, and merges of LoRA."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from blackbox_align.adapters import Lora
from blackbox_align.errors import ModelError, SpecificationError, UnknownNameError
from blackbox_align.experts.peft_files import write_lora
from blackbox_align.palette.export import export_mixture
from blackbox_align.palette.merging import MERGES, merge
from tests.architectures import build_model
from tests.engines.local.test_blend import by_token, made_by_peft

LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0,
    "high_freq_factor": 4.0, "original_max_position_embeddings": 64,
}  # fmt: skip
CASES = {
    "llama": {},
    "llama, tied, llama3 rope": {"tie_word_embeddings": True, "rope_parameters": LLAMA3},
    "mistral, window, other norm": {"sliding_window": 8, "rms_norm_eps": 1e-3},
    "qwen2, biases": {},
    "qwen2, biases, tied": {"tie_word_embeddings": True},
    "qwen3": {},
    "qwen3, biases, tied": {"tie_word_embeddings": True, "attention_bias": True},
}


def built(case):
    model = build_model(case.partition(",")[0], **CASES[case])
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():  # biases and norms that matter
        for name, parameter in model.model.named_parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.3)
                assert parameter.abs().max() > 0, name
    return model


@pytest.mark.parametrize("case", CASES)
def test_a_checkpoint_is_the_blend(case, tmp_path):
    """Different colours to 1e-4 of the logits' scale, on disk and read again by plain transformers."""
    model = built(case)
    loras = [made_by_peft(model, seed, 2 + seed)[1] for seed in range(3)]
    made = export_mixture(model, loras, by_token().rows, tmp_path / "out", temperature=0.7)
    assert made.difference < 1e-5
    assert (
        made.architecture
        == {
            "llama": "MixtralForCausalLM",
            "mistral": "MixtralForCausalLM",
            "qwen2": "Qwen2MoeForCausalLM",
            "qwen3": "Qwen3MoeForCausalLM",
        }[case.partition(",")[0]]
    )


@pytest.mark.parametrize("case", CASES)
def test_identical_colours_are_the_dense_model(case, tmp_path):
    """To 1e-5 of the logits' scale: a configuration that was not copied in full would show here."""
    model = built(case)
    lora = made_by_peft(model, 0, 2)[1]
    nothing = Lora({name: (a, np.zeros_like(b)) for name, (a, b) in lora.updates.items()})
    export_mixture(model, [nothing] * 3, by_token().rows, tmp_path / "out")
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "out").eval()
    ids = torch.arange(3, 43).view(2, 20)
    with torch.inference_mode():
        dense, mixture = model.model(input_ids=ids).logits, again(input_ids=ids).logits
    assert float((dense - mixture).abs().max()) < 1e-5 * float(dense.abs().max())


def test_what_a_mixture_has_no_place_for_is_refused(tmp_path):
    """Another architecture, biases, and a folder that is there."""
    lora = made_by_peft(build_model("llama"), 0, 2)[1]
    with pytest.raises(ModelError, match="cannot be written as a mixture"):
        export_mixture(build_model("gpt2"), [lora] * 2, by_token().rows, tmp_path / "out")
    for more, said in (
        ({"mlp_bias": True}, "have biases"),
        ({"attention_bias": True}, "no place for"),
    ):
        with pytest.raises(ModelError, match=said):
            export_mixture(
                build_model("llama", **more), [lora] * 3, by_token().rows, tmp_path / "out"
            )
    with pytest.raises(SpecificationError, match="there already"):
        export_mixture(build_model("llama"), [lora] * 3, by_token().rows, tmp_path)
    assert not (tmp_path / "out").exists()


# -- merges -----------------------------------------------------------------------------------------


def random_loras(count, wide=6, out=5, name="m"):
    rng = np.random.default_rng(0)
    return [
        Lora({name: (rng.normal(size=(rank, wide)), rng.normal(size=(out, rank)))})
        for rank in range(1, count + 1)
    ]


def delta(lora, name="m"):
    a, b = lora.updates[name]
    return b @ a


def test_soup_is_the_mean_of_the_products():
    """Of LoRA of different ranks, and one that leaves a module alone."""
    loras = random_loras(3)
    mean = sum(delta(lora) for lora in loras) / 3
    np.testing.assert_allclose(delta(merge(loras, "soup")), mean, atol=1e-5)
    np.testing.assert_allclose(delta(merge([*loras, Lora({})], "soup")), mean * 3 / 4, atol=1e-5)


def test_model_stock_is_the_papers_share_of_the_mean():
    """t = K cos / (1 + (K - 1) cos) of the mean cosine; equal updates are kept whole."""
    loras = random_loras(3)
    flat = [delta(lora).ravel() for lora in loras]
    pairs = [(0, 1), (0, 2), (1, 2)]
    cosine = np.mean(
        [flat[i] @ flat[j] / np.linalg.norm(flat[i]) / np.linalg.norm(flat[j]) for i, j in pairs]
    )
    expected = 3 * cosine / (1 + 2 * cosine) * sum(flat) / 3
    np.testing.assert_allclose(delta(merge(loras, "model-stock")).ravel(), expected, atol=1e-5)
    np.testing.assert_allclose(
        delta(merge(loras[:1] * 2, "model-stock")), delta(loras[0]), atol=1e-5
    )


def test_ties_trims_elects_and_averages():
    """Worked by hand: the half of largest entries, the sign of their sum, the mean of those that agree."""
    one, two = np.array([[4.0, -3.0], [1.0, 0.5]]), np.array([[2.0, 5.0], [-0.1, 0.2]])
    loras = [Lora({"m": (np.eye(2), matrix)}) for matrix in (one, two)]
    expected = np.array([[3.0, 5.0], [0.0, 0.0]])
    np.testing.assert_allclose(delta(merge(loras, "ties", density=0.5)), expected, atol=1e-5)


@pytest.mark.parametrize("how", MERGES)
def test_a_merge_is_a_lora_that_peft_loads(how, tmp_path):
    """The merged update, through PEFT's own files, is the dense sum."""
    model = build_model("llama")
    loras = [made_by_peft(model, seed, 2)[1] for seed in range(2)]
    merged = merge(loras, how)
    write_lora(tmp_path, merged, "base")
    adapted = PeftModel.from_pretrained(
        build_model("llama").model, str(tmp_path)
    ).merge_and_unload()
    name = "model.layers.1.mlp.up_proj"
    expected = model.model.get_submodule(name).weight + torch.from_numpy(
        np.asarray(delta(merged, name), np.float32)
    )
    torch.testing.assert_close(adapted.get_submodule(name).weight, expected, atol=1e-4, rtol=1e-4)


def test_pefts_linear_kinds_are_refused():
    """They combine A and B apart, and say nothing of it."""
    with pytest.raises(SpecificationError, match="crosswise"):
        merge(random_loras(2), "linear")
    with pytest.raises(UnknownNameError, match="soup"):
        merge(random_loras(2), "sop")
    with pytest.raises(SpecificationError, match="two LoRA or more"):
        merge(random_loras(1), "soup")
    with pytest.raises(SpecificationError, match="different models"):
        merge([*random_loras(1), *random_loras(1, wide=7)], "soup")
