"""The expert directory: a PEFT adapter folder with our metadata and a card beside it.

::

    expert/
      adapter_config.json         as PEFT loads it
      adapter_model.safetensors   prompt_embeddings (tokens, D) float32
      expert.json                 ours: country, targets, constants, hashes, scores, versions
      README.md                   the card
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ExpertError
from ..files import plain_errors, read_json, replace_folder, write_json, write_text
from .card import LIMITS, render_card

if TYPE_CHECKING:
    from ..evaluators.language_model import LanguageModel
    from ..surveys import Survey

FORMAT = 1
# The largest difference in a label probability between PEFT and us: in half precision the two
# orders of computation alone differ by about this much.
_TOLERANCE = {"float32": 1e-4, "bfloat16": 5e-2, "float16": 1e-2}


@dataclass(frozen=True)
class Expert:
    """An expert folder that was read: its path, what PEFT calls its kind, and our metadata."""

    path: Path
    kind: str
    metadata: Mapping[str, Any]

    @property
    def country(self) -> str:
        return str(self.metadata["country"])

    def soft_prompt(self) -> np.ndarray:
        """(tokens, D) float32; :class:`ExpertError` for an expert that is no soft prompt."""
        if self.kind != "PROMPT_TUNING":
            raise ExpertError(f"{self.path} is a {self.kind} adapter, not a soft prompt.")
        from safetensors.numpy import load_file

        with plain_errors(self.path):
            prompt: np.ndarray = load_file(self.path / "adapter_model.safetensors")[
                "prompt_embeddings"
            ]
        return prompt


def read_expert(folder: Path | str) -> Expert:
    """Read an expert folder; :class:`ExpertError` where it is none."""
    path = Path(folder)
    for name in ("adapter_config.json", "expert.json"):
        if not (path / name).is_file():
            raise ExpertError(f"{path} is not an expert folder: it holds no {name}.")
    metadata = read_json(path / "expert.json")
    if metadata.get("format") != FORMAT:
        raise ExpertError(
            f"{path} is in expert format {metadata.get('format')!r}; this version reads {FORMAT}."
        )
    return Expert(path, read_json(path / "adapter_config.json")["peft_type"], metadata)


def write_expert(
    folder: Path,
    soft_prompt: np.ndarray,
    model: LanguageModel,
    survey: Survey,
    answers: np.ndarray,
    metadata: Mapping[str, Any],
) -> Expert:
    """Write a soft prompt as an expert, after PEFT has proved that it answers alike.

    Parameters
    ----------
    soft_prompt : (tokens, D) float32
    answers : (items, width), what the evaluator answers under it
    metadata : what the card shows; see :mod:`.card`

    Raises
    ------
    ExpertError
        Through PEFT the answers differ from ``answers``: the folder is not written, an earlier
        one stays.
    """
    from .parity import answer_through_peft

    draft = folder.with_name(f".{folder.name}.new")
    with plain_errors(folder):
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        _write_adapter(draft, soft_prompt, model)
    difference = float(np.abs(answer_through_peft(draft, model, survey) - answers).max())
    dtype = str(model.dtype).removeprefix("torch.")
    if not difference <= _TOLERANCE[dtype]:
        shutil.rmtree(draft, ignore_errors=True)
        raise ExpertError(
            f"Through PEFT the prompt gives other answers than in the search: a label's probability "
            f"differs by {difference:.2g}, where at most {_TOLERANCE[dtype]:g} is expected in {dtype}. "
            "The expert is not written; this architecture needs a look."
        )
    card = {
        "format": FORMAT,
        "survey": survey.name,
        **metadata,
        "peft_difference": difference,
        "limits": list(LIMITS),
    }
    write_json(draft / "expert.json", card)
    write_text(draft / "README.md", render_card(card, model.name))
    replace_folder(draft, folder)
    return read_expert(folder)


def _write_adapter(folder: Path, soft_prompt: np.ndarray, model: LanguageModel) -> None:
    from peft import PromptTuningConfig
    from safetensors.numpy import save

    config = model.model.config.get_text_config()
    PromptTuningConfig(
        task_type="CAUSAL_LM",  # without it PEFT loads the prompt and silently ignores it
        num_virtual_tokens=len(soft_prompt),
        token_dim=soft_prompt.shape[1],
        num_layers=config.num_hidden_layers,
        num_attention_heads=config.num_attention_heads,
        num_transformer_submodules=1,
        base_model_name_or_path=model.name,
        revision=None if Path(model.source).is_dir() else model.revision,
        inference_mode=True,
    ).save_pretrained(str(folder))
    prompt = np.ascontiguousarray(soft_prompt, np.float32)
    tensors = save({"prompt_embeddings": prompt}, {"format": "pt"})
    (folder / "adapter_model.safetensors").write_bytes(tensors)
