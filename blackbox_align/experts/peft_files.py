"""Adapters as PEFT's own two files: ``adapter_config.json`` and ``adapter_model.safetensors``.

PEFT puts a soft prompt before everything, so only one that stands ``first`` has a configuration: it would
load another without a word and answer something else.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..adapters.adapter import Adapter, Lora, SoftPrompt
from ..errors import ExpertError, RunError
from ..files.atomic import read_json
from .tensors import read_tensors, write_tensors

Array = NDArray[np.floating]
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_PROMPT = "prompt_embeddings"
_PREFIX = "base_model.model."
# What changes an answer and is not in our low-rank updates.
_REFUSED = ("use_dora", "modules_to_save", "trainable_token_indices", "layer_replication", "lora_bias",
            "use_bdlora", "alora_invocation_tokens")  # fmt: skip


def write_prompt(folder: Path, vectors: Array, base: str) -> None:
    """A soft prompt (tokens, D) as PEFT loads it, for the model ``base``: a folder or a hub name."""
    from peft import PromptTuningConfig

    write_tensors(folder / WEIGHTS, {_PROMPT: vectors})
    PromptTuningConfig(
        task_type="CAUSAL_LM",  # without it PEFT loads the prompt and silently ignores it
        num_virtual_tokens=len(vectors),
        token_dim=vectors.shape[1],
        num_transformer_submodules=1,
        base_model_name_or_path=base,
        inference_mode=True,
    ).save_pretrained(str(folder))


def write_lora(folder: Path, lora: Lora, base: str) -> None:
    """Low-rank updates as PEFT loads them; the scale is in B, so that of the configuration is 1."""
    from peft import LoraConfig

    ranks = {name: int(a.shape[0]) for name, (a, _) in lora.updates.items()}
    most = max(ranks.values())
    other = {name: rank for name, rank in ranks.items() if rank != most}
    tensors = {}
    for name, (a, b) in lora.updates.items():
        tensors[f"{_PREFIX}{name}.lora_A.weight"] = a
        tensors[f"{_PREFIX}{name}.lora_B.weight"] = b
    write_tensors(folder / WEIGHTS, tensors)
    LoraConfig(
        task_type="CAUSAL_LM",
        r=most,
        lora_alpha=most,
        rank_pattern=other,
        alpha_pattern=other,
        target_modules=sorted(ranks),
        base_model_name_or_path=base,
        inference_mode=True,
    ).save_pretrained(str(folder))


def read_peft(folder: Path) -> Adapter:
    """The adapter in a folder that PEFT wrote: a soft prompt or a LoRA.

    Raises
    ------
    ExpertError
        It is of another kind, or does something that an :class:`..adapters.adapter.Adapter` does not.
    """
    config = read_object(folder / CONFIG)
    tensors = read_tensors(folder / WEIGHTS)
    kind = config.get("peft_type")
    if kind == "PROMPT_TUNING":
        return Adapter(prompt=_prompt(folder, config, tensors))
    if kind == "LORA":
        return Adapter(loras=(_lora(folder, config, tensors),))
    raise ExpertError(f"{folder} is a {kind!r} adapter; expected PROMPT_TUNING or LORA.")


def read_object(path: Path) -> dict[str, Any]:
    """A JSON file that holds an object; :class:`ExpertError` where it does not."""
    try:
        value = read_json(path)
    except (RunError, ValueError, RecursionError) as error:
        raise ExpertError(
            f"{error}" if isinstance(error, RunError) else f"{path}: {error}."
        ) from None
    if not isinstance(value, dict):
        raise ExpertError(f"{path}: expected an object with named entries; the file is damaged.")
    return value


def read_bare_prompt(folder: Path, placement: Any) -> SoftPrompt:
    """A soft prompt without PEFT's configuration, at a placement that PEFT does not have."""
    tensors = read_tensors(folder / WEIGHTS)
    return SoftPrompt(_vectors(folder, tensors), placement)


def _prompt(folder: Path, config: Mapping[str, Any], tensors: Mapping[str, Array]) -> SoftPrompt:
    vectors = _vectors(folder, tensors)
    named = config.get("num_virtual_tokens"), config.get("token_dim", vectors.shape[1])
    if config.get("task_type") != "CAUSAL_LM" or named != vectors.shape:
        raise ExpertError(
            f"{folder}: {CONFIG} is of {named[0]!r} virtual tokens, {named[1]!r} wide, for the task "
            f"{config.get('task_type')!r}, and {WEIGHTS} holds {vectors.shape[0]} of {vectors.shape[1]}; "
            "one of the two files is not of this expert."
        )
    return SoftPrompt(vectors)


def _vectors(folder: Path, tensors: Mapping[str, Array]) -> Array:
    if set(tensors) != {_PROMPT} or tensors[_PROMPT].ndim != 2 or not len(tensors[_PROMPT]):
        seen = ", ".join(f"{name} {array.shape}" for name, array in tensors.items()) or "nothing"
        raise ExpertError(
            f"{folder / WEIGHTS}: expected {_PROMPT} (tokens, width); found {seen[:200]}."
        )
    return tensors[_PROMPT]


def _lora(folder: Path, config: Mapping[str, Any], tensors: Mapping[str, Array]) -> Lora:
    asked = [name for name in _REFUSED if config.get(name)]
    if config.get("bias", "none") != "none":
        asked.append("bias")
    if asked:
        raise ExpertError(
            f"{folder}: this LoRA changes more than low-rank updates do ({', '.join(asked)})."
        )
    parts: dict[str, dict[str, Array]] = {}
    for name, array in tensors.items():
        found = re.fullmatch(r"(.+)\.lora_([AB])(?:\.\w+)?\.weight", name)
        if not found or array.ndim != 2:
            raise ExpertError(f"{folder / WEIGHTS}: {name} {array.shape} is no low-rank update.")
        parts.setdefault(found[1].removeprefix(_PREFIX), {})[found[2]] = array
    updates = {}
    for module, pair in parts.items():
        if set(pair) != {"A", "B"} or pair["A"].shape[0] != pair["B"].shape[1]:
            raise ExpertError(f"{folder / WEIGHTS}: the update of {module} is not whole.")
        scale = _scale(folder, config, module, pair["A"].shape[0])
        updates[module] = pair["A"], np.asarray(pair["B"] * scale, np.float32)
    if not updates:
        raise ExpertError(f"{folder / WEIGHTS}: there is no update in it.")
    return Lora(updates)


def _scale(folder: Path, config: Mapping[str, Any], module: str, rank: int) -> float:
    """alpha / r, or alpha / sqrt(r) where the configuration says so."""
    r = _of_module(config.get("rank_pattern"), module, config.get("r"))
    alpha = _of_module(config.get("alpha_pattern"), module, config.get("lora_alpha"))
    number = (
        isinstance(alpha, (int, float)) and not isinstance(alpha, bool) and math.isfinite(alpha)
    )
    if r != rank or not number:
        raise ExpertError(
            f"{folder}: {CONFIG} gives {module} the rank {r!r} and alpha {alpha!r}, and {WEIGHTS} holds "
            f"rank {rank}; one of the two files is not of this expert."
        )
    return float(alpha) / (math.sqrt(rank) if config.get("use_rslora") else rank)


def _of_module(pattern: Any, module: str, otherwise: Any) -> Any:
    """What a configuration says of a module: by a suffix of its name, which PEFT takes for a pattern."""
    for key, value in pattern.items() if isinstance(pattern, Mapping) else ():
        if re.match(rf"(.*\.)?({re.escape(str(key))})$", module):
            return value
    return otherwise
