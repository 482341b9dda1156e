"""The expert directory: a PEFT adapter folder with our metadata and a card beside it.

::

    expert/
      adapter_config.json         as PEFT loads it
      adapter_model.safetensors   prompt_embeddings (tokens, D) float32
      expert.json                 ours: country, targets, constants, hashes, scores, versions
      README.md                   the card

PEFT puts a soft prompt before everything. One that stands last, right before the answer, therefore
has no adapter_config.json: PEFT would load it without a word and answer something else.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engines.base import PARITY
from ..errors import ExpertError
from ..files.atomic import plain_errors, read_json, replace_folder, write_json, write_text
from .card import limits, render_card

if TYPE_CHECKING:
    from ..engines.checkpoint import LanguageModel
    from ..surveys import Survey

FORMAT = 1
_CONFIG, _WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


@dataclass(frozen=True)
class Expert:
    """An expert folder that was read: its path, what PEFT calls its kind, and our metadata."""

    path: Path
    kind: str
    metadata: Mapping[str, Any]

    @property
    def country(self) -> str:
        return str(self.metadata["country"])

    @property
    def placement(self) -> str:
        """Where the soft prompt stands; see :data:`..engines.base.PLACEMENTS`."""
        return str(self.metadata.get("placement", "first"))

    def soft_prompt(self) -> np.ndarray:
        """(tokens, D) float32; :class:`ExpertError` for an expert that is no soft prompt."""
        if self.kind != "PROMPT_TUNING":
            raise ExpertError(f"{self.path} is a {self.kind} adapter, not a soft prompt.")
        from safetensors.numpy import load_file

        with plain_errors(self.path):
            prompt: np.ndarray = load_file(self.path / _WEIGHTS)["prompt_embeddings"]
        return prompt

    def peft_folder(self) -> Path:
        """The folder to give to ``PeftModel.from_pretrained``.

        Raises
        ------
        ExpertError
            The soft prompt stands last, where PEFT would not put it.
        """
        if self.placement == "last":
            raise ExpertError(
                f"{self.path} holds a soft prompt that stands right before the answer, and PEFT puts "
                "every soft prompt before the whole text, where this one means nothing. Ask with it "
                "through blackbox_align, or fit another with --placement first."
            )
        return self.path


def read_expert(folder: Path | str) -> Expert:
    """Read an expert folder; :class:`ExpertError` where it is none."""
    path = Path(folder)
    if not (path / "expert.json").is_file():
        raise ExpertError(f"{path} is not an expert folder: it holds no expert.json.")
    metadata = read_json(path / "expert.json")
    if metadata.get("format") != FORMAT:
        raise ExpertError(
            f"{path} is in expert format {metadata.get('format')!r}; this version reads {FORMAT}."
        )
    if metadata.get("placement") == "last":
        return Expert(path, "PROMPT_TUNING", metadata)
    if not (path / _CONFIG).is_file():
        raise ExpertError(f"{path} is not an expert folder: it holds no {_CONFIG}.")
    return Expert(path, read_json(path / _CONFIG)["peft_type"], metadata)


def write_expert(
    folder: Path,
    soft_prompt: np.ndarray,
    model: LanguageModel,
    answered: Sequence[tuple[Survey, np.ndarray]],
    metadata: Mapping[str, Any],
) -> Expert:
    """Write a soft prompt as an expert, after asking plainly has proved that it answers alike.

    Through PEFT, or, for a prompt that stands last, without it.

    Parameters
    ----------
    soft_prompt : (tokens, D) float32
    answered : the surveys, each with the (items, width) that the evaluator answers under it
    metadata : what the card shows, the ``placement`` among it; see :mod:`.card`

    Raises
    ------
    ExpertError
        Asked plainly the answers differ from these: the folder is not written, an earlier
        one stays.
    """
    from .parity import answer_plainly, answer_through_peft

    last = metadata["placement"] == "last"
    draft = folder.with_name(f".{folder.name}.new")
    with plain_errors(folder):
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        if last:
            _write_weights(draft, soft_prompt)
        else:
            write_adapter(draft, soft_prompt, model)
    differences = [
        (
            answer_plainly(soft_prompt, model, survey, "last")[0]
            if last
            else answer_through_peft(draft, model, survey)
        )
        - answers
        for survey, answers in answered
    ]
    difference = max(float(np.abs(rows).max()) for rows in differences)
    dtype = str(model.dtype).removeprefix("torch.")
    if not difference <= PARITY[dtype]:
        shutil.rmtree(draft, ignore_errors=True)
        raise ExpertError(
            f"{'Asked plainly' if last else 'Through PEFT'} the prompt gives other answers than in the "
            f"search: a label's probability differs by {difference:.2g}, where at most "
            f"{PARITY[dtype]:g} is expected in {dtype}. "
            "The expert is not written; this architecture needs a look."
        )
    card = {
        "format": FORMAT,
        "survey": "+".join(survey.name for survey, _ in answered),
        **metadata,
        "parity_difference": difference,
        "limits": limits(metadata),
    }
    write_json(draft / "expert.json", card)
    write_text(draft / "README.md", render_card(card, model.name))
    replace_folder(draft, folder)
    return read_expert(folder)


def _write_weights(folder: Path, soft_prompt: np.ndarray) -> None:
    from safetensors.numpy import save

    prompt = np.ascontiguousarray(soft_prompt, np.float32)
    (folder / _WEIGHTS).write_bytes(save({"prompt_embeddings": prompt}, {"format": "pt"}))


def write_adapter(folder: Path, soft_prompt: np.ndarray, model: LanguageModel) -> None:
    """Write (tokens, D) float32 as PEFT loads it, and nothing else; see :func:`write_expert`."""
    from peft import PromptTuningConfig

    _write_weights(folder, soft_prompt)
    config = model.model.config.get_text_config()
    PromptTuningConfig(
        task_type="CAUSAL_LM",  # without it PEFT loads the prompt and silently ignores it
        num_virtual_tokens=len(soft_prompt),
        token_dim=soft_prompt.shape[1],
        num_layers=config.num_hidden_layers,
        num_attention_heads=config.num_attention_heads,
        num_transformer_submodules=1,
        base_model_name_or_path=model.name,
        revision=model.commit or None,
        inference_mode=True,
    ).save_pretrained(str(folder))
