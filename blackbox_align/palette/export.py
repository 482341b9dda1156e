"""A palette of LoRA as one mixture-of-experts checkpoint that plain transformers load.

=============  ================  ==========================================================================
base           becomes           what is peculiar
=============  ================  ==========================================================================
Llama          Mixtral           rotary scaling comes along
Mistral        Mixtral           so does the sliding window
Qwen2          Qwen2-MoE         it has a shared expert, which is made to give nothing
Qwen3          Qwen3-MoE         nothing
=============  ================  ==========================================================================

Every expert is the base's feed-forward part with a colour's update added; the router reads the gate's rows,
and lets all K through: then its softmax is Eq. 1. What transformers calls these tensors is known here alone.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..adapters.adapter import Gate, Lora
from ..engines.checkpoint import LanguageModel
from ..engines.local.blend import Blend
from ..engines.local.shadow import decoder_layers, shadow
from ..errors import ExpertError, ModelError, SpecificationError
from ..files.atomic import plain_errors

Array = NDArray[np.floating]

_TARGETS = {"llama": "mixtral", "mistral": "mixtral", "qwen2": "qwen2_moe", "qwen3": "qwen3_moe"}
_SHARED = 8  # the width of the shared expert that Qwen2-MoE has to have
# Of a configuration: what names the model, and what is the target's own.
_OWN = ("model_type", "architectures", "transformers_version", "mlp_bias", "pretraining_tp", "dtype",
        "torch_dtype")  # fmt: skip
_ALLOWED = {"float32": 1e-4, "bfloat16": 5e-2, "float16": 1e-2}
_PROBE = (2, 24)  # texts and tokens that the checkpoint is compared on


@dataclass(frozen=True)
class Mixture:
    """A checkpoint that was written: its ``architecture``, how many numbers are its ``weights``, and how far
    its logits were from the blend's when it was read again, as a share of their scale."""

    path: Path
    architecture: str
    weights: int
    difference: float


def export_mixture(
    model: LanguageModel, loras: Sequence[Lora], rows: Array, folder: Path, temperature: float = 1.0
) -> Mixture:
    """Write a mixture of experts, read it with plain transformers, and compare it with the blend.

    Parameters
    ----------
    loras : one for every colour, on the feed-forward parts
    rows : (layers, K, D) of the gate, which is one for every token here
    folder : a new one; where the comparison fails nothing is left of it

    Raises
    ------
    ModelError
        The model is of another kind than those above, or has what the mixture has no place for.
    SpecificationError
        The folder is there already.
    ExpertError
        What was written does not answer as the blend does.
    """
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    if folder.exists():
        raise SpecificationError(f"{folder} is there already; name a new folder.")
    base = model.model
    made = _mixture(base, loras, rows, temperature)
    try:
        with plain_errors(folder):
            made.save_pretrained(folder)
            model.tokenizer.save_pretrained(folder)
        again = AutoModelForCausalLM.from_pretrained(folder, dtype=base.dtype).eval()
        gate = Gate(rows=np.asarray(rows, np.float32), temperature=temperature)
        difference = _difference(base, again, Blend(base, loras, model.device), gate)
        kind = str(base.dtype).removeprefix("torch.")
        if not difference <= _ALLOWED[kind]:
            raise ExpertError(
                f"The checkpoint answers otherwise than the blend: logits differ by {difference:.2g} of "
                f"their scale, where at most {_ALLOWED[kind]:g} is expected in {kind}. It is not kept; this "
                "version of transformers may lay experts out in another way."
            )
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    weights = sum(parameter.numel() for parameter in made.parameters())
    return Mixture(folder, type(made).__name__, weights, difference)


def _mixture(base: Any, loras: Sequence[Lora], rows: Array, temperature: float) -> Any:
    """The mixture in memory: everything outside the feed-forward parts is the base's."""
    from transformers import AutoModelForCausalLM

    made = AutoModelForCausalLM.from_config(
        _configuration(base, len(loras)), dtype=base.dtype
    ).eval()
    names = {name for name, _ in base.named_parameters()}
    shared = names & {name for name, _ in made.named_parameters()}
    missing = sorted(name for name in names - shared if ".mlp." not in name)
    if missing:
        raise ModelError(
            f"A mixture of experts has no place for {missing[0]} of {base.config.model_type!r}; ask with "
            "the blend, which needs none."
        )
    source = dict(base.named_parameters())
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if name in shared:
                parameter.copy_(source[name])
        for number, (layer, own) in enumerate(
            zip(decoder_layers(made), decoder_layers(base), strict=True)
        ):
            _fill(layer.mlp, own.mlp, f"model.layers.{number}.mlp", loras)
            gate = torch.from_numpy(np.asarray(rows[number], np.float32) / temperature)
            layer.mlp.gate.weight.copy_(gate)
    if getattr(base, "generation_config", None) is not None:
        made.generation_config = base.generation_config
    return made


def _configuration(base: Any, count: int) -> Any:
    from transformers import AutoConfig

    config = base.config
    target = _TARGETS.get(config.model_type)
    if target is None:
        raise ModelError(
            f"A {config.model_type!r} model cannot be written as a mixture of experts here; "
            f"{', '.join(_TARGETS)} can. The blend needs no such checkpoint."
        )
    if getattr(config, "mlp_bias", False):
        raise ModelError(
            "The feed-forward parts of this model have biases, which experts have not."
        )
    kept = {key: value for key, value in config.to_dict().items() if key not in _OWN}
    if target == "mixtral":  # one window for all layers, or none
        kept.pop("layer_types", None)
        kept.pop("attention_bias", None)
        own = {"num_local_experts": count, "sliding_window": kept.get("sliding_window")}
    else:
        own = {
            "num_experts": count,
            "moe_intermediate_size": config.intermediate_size,
            "norm_topk_prob": True,
            "decoder_sparse_step": 1,
            "mlp_only_layers": [],
        }
    if target == "qwen2_moe":
        own |= {"shared_expert_intermediate_size": _SHARED, "qkv_bias": True}
    return AutoConfig.for_model(
        target, **{**kept, **own, "num_experts_per_tok": count, "output_router_logits": False}
    )


def _fill(made: Any, own: Any, name: str, loras: Sequence[Lora]) -> None:
    """The experts of one layer: gate and up above one another, then down; a shared one gives nothing."""

    def moved(part: str, lora: Lora) -> Tensor:
        weight: Tensor = getattr(own, part).weight
        if f"{name}.{part}" not in lora.updates:
            return weight
        a, b = lora.updates[f"{name}.{part}"]
        delta = torch.from_numpy(np.asarray(b, np.float32) @ np.asarray(a, np.float32))
        return (weight.float() + delta.to(weight.device)).to(weight.dtype)

    for number, lora in enumerate(loras):
        both = torch.cat([moved("gate_proj", lora), moved("up_proj", lora)])
        made.experts.gate_up_proj[number].copy_(both)
        made.experts.down_proj[number].copy_(moved("down_proj", lora))
    if hasattr(made, "shared_expert"):
        made.shared_expert.down_proj.weight.zero_()


@torch.inference_mode()
def _difference(base: Any, made: Any, blend: Blend, gate: Gate) -> float:
    """The largest difference of logits as a share of their scale, on random tokens."""
    words = int(base.get_input_embeddings().weight.shape[0])
    ids = torch.from_numpy(np.random.default_rng(0).integers(0, words, _PROBE))
    own = shadow(base)
    with blend.hooked(own, [gate], lambda: True):
        expected = own(input_ids=ids.to(base.device)).logits.float().cpu()
    given = made(input_ids=ids).logits.float()
    return float((given - expected).abs().max() / expected.abs().max())
