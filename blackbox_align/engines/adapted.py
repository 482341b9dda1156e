"""A folder that PEFT saved a LoRA in, taken as a model: the base that it names, with the LoRA merged in."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from ..errors import ModelError
from .identity import answering_files

_CONFIG = "adapter_config.json"
_WHERE = ("base_model_name_or_path", "revision")
_TOKENIZER = ("tokenizer.json", "tokenizer.model", "tokenizer_config.json")


def import_for_peft() -> None:
    """Import what PEFT's LoRA reads a name of without importing it; before LoRA is put on a model."""
    import torch

    if torch.distributed.is_available():
        import torch.distributed.tensor


def is_lora(name: str) -> bool:
    """Whether ``name`` is a folder with an adapter of PEFT and no model of its own.

    Raises :class:`ModelError` where the adapter is of another kind than LoRA.
    """
    folder = Path(name).expanduser()
    if not (folder / _CONFIG).is_file() or (folder / "config.json").is_file():
        return False
    kind = _configuration(folder, name).get("peft_type")
    if kind != "LORA":
        raise ModelError(
            f"{name!r} is no whole model but an adapter of PEFT, of the kind {kind}; LoRA alone is merged "
            "into its base here. An expert is asked on the model that it names."
        )
    return True


def base_of(folder: Path, name: str) -> tuple[str, str | None]:
    """The model that a LoRA is for, and its revision: as it is named, or lying beside the LoRA.

    Raises :class:`ModelError` where none is named.
    """
    configuration = _configuration(folder, name)
    base = configuration.get("base_model_name_or_path")
    if not isinstance(base, str) or not base.strip():
        raise ModelError(f"{name!r} is a LoRA that names no base in its {_CONFIG}; write it there.")
    beside = folder.resolve().parent / Path(base).name
    if not Path(base).expanduser().is_dir() and (beside / "config.json").is_file():
        return str(beside), None
    revision = configuration.get("revision")
    here = Path(base).expanduser().is_dir()
    return base, revision if isinstance(revision, str) and not here else None


def lora_digest(folder: Path, base: str) -> str:
    """A hash of the content of a LoRA and of its base's; where the base lies is no part of it."""
    configuration = _configuration(folder, str(folder))
    known = {k: v for k, v in configuration.items() if k not in _WHERE}
    hashed = hashlib.sha256(f"{base} {json.dumps(known, sort_keys=True)}".encode())
    for file in answering_files(path.name for path in folder.iterdir() if path.is_file()):
        if file != _CONFIG:
            hashed.update(f"{file} {(folder / file).stat().st_size}\n".encode())
            hashed.update((folder / file).read_bytes())
    return hashed.hexdigest()


def with_lora(folder: Path, name: str, model: Any, tokenizer: Any) -> tuple[Any, Any]:
    """The model with the LoRA merged into its weights, and the LoRA's own tokenizer where it has one.

    Raises :class:`ModelError` where PEFT cannot put it on this model.
    """
    from peft import PeftModel
    from transformers import AutoTokenizer

    import_for_peft()
    try:
        merged = PeftModel.from_pretrained(model, str(folder)).merge_and_unload()
        if any((folder / file).is_file() for file in _TOKENIZER):
            tokenizer = AutoTokenizer.from_pretrained(str(folder))
    except Exception as error:  # PEFT and safetensors raise a dozen kinds
        reason = " ".join(str(error).split())[:300]
        raise ModelError(
            f"The LoRA {name!r} cannot be put on its base ({type(error).__name__}): {reason}"
        ) from None
    return merged, tokenizer


def _configuration(folder: Path, name: str) -> dict[str, Any]:
    try:
        value = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{name!r} holds an {_CONFIG} that cannot be read: {error}.") from None
    if not isinstance(value, dict):
        raise ModelError(f"{name!r} holds an {_CONFIG} that is no JSON object.")
    return value
