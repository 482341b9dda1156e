"""The expert folder: one adapter, its card and its proof.

::

    expert/
      adapter_config.json         as PEFT loads it, where PEFT can: a soft prompt before everything, a LoRA
      adapter_model.safetensors   prompt_embeddings (tokens, D), or low-rank updates
      lora-1/ ...                 further LoRA, each as PEFT loads it
      prompt.safetensors          a soft prompt beside something else; gate.safetensors a gate
      expert.json                 ours, sealed: the adapter's digest, hashes of the files, card, proof
      README.md                   the card, for people

Nothing is taken from a folder whose files are not those that ``expert.json`` was written with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np

from ..adapters.adapter import PLACEMENTS, Adapter, Gate, Lora, Placement, SoftPrompt
from ..engines.base import EngineInfo
from ..errors import BlackboxAlignError, ExpertError, RunError, SpecificationError
from ..files.atomic import plain_errors, read_sealed_json
from ..results.format1 import read_format1
from ..results.plain import from_plain
from .card import Card
from .peft_files import CONFIG, WEIGHTS, read_bare_prompt, read_object, read_peft
from .proof import Proof
from .tensors import read_tensors

FORMAT = 2
RECORD = "expert.json"
PROMPT_FILE, GATE_FILE = "prompt.safetensors", "gate.safetensors"


@dataclass(frozen=True)
class Parts:
    """What an adapter is made of, and in which files it is; ``sha256`` has one hash for each of them.

    ``prompt`` is the file of a soft prompt, ``peft`` the folders that PEFT can load, ``.`` being the
    expert's own.
    """

    digest: str
    sha256: Mapping[str, str]
    text: str = ""
    prompt: str = ""
    placement: str = "first"
    shape: tuple[int, ...] = ()
    dtype: str = "float32"
    peft: tuple[str, ...] = ()
    gate: str = ""
    temperature: float = 1.0


@dataclass(frozen=True)
class Record:
    """The content of ``expert.json``; ``base`` is what PEFT's configuration calls the base model."""

    format: int
    base: str
    parts: Parts
    card: Card
    proof: Proof | None = None


@dataclass(frozen=True)
class Expert:
    """An expert folder that was read: its path, its card, and how its adapter is made of its files."""

    path: Path
    card: Card
    parts: Parts | None = field(repr=False)
    base: str = ""
    proof: Proof | None = None

    @property
    def name(self) -> str:
        """What its folder is called: its name in a library and in a committee."""
        return self.path.name

    @property
    def country(self) -> str:
        """The code of the population that it stands for."""
        return self.card.population

    @cached_property
    def _adapter(self) -> Adapter:
        return (
            _adapter_of_format1(self.path) if self.parts is None else _read(self.path, self.parts)
        )

    def adapter(self) -> Adapter:
        """The adapter, checked against the record; no torch.

        Raises :class:`ExpertError` where a file was edited, truncated or swapped.
        """
        return self._adapter

    @property
    def placement(self) -> Placement:
        """Where its soft prompt stands; ``first`` where it has none."""
        prompt = self.adapter().prompt
        return prompt.placement if prompt else "first"

    def soft_prompt(self) -> np.ndarray:
        """(tokens, D) float32; :class:`ExpertError` for an expert that is no soft prompt."""
        prompt = self.adapter().prompt
        if prompt is None:
            raise ExpertError(f"{self.path} holds no soft prompt.")
        return prompt.vectors

    def peft_folder(self) -> Path:
        """The folder to give to ``PeftModel.from_pretrained``.

        Raises
        ------
        ExpertError
            PEFT cannot apply it as it was fitted.
        """
        adapter = self.adapter()
        whole = self.parts is None or self.parts.peft == (".",)
        if whole and not adapter.text and (self.path / CONFIG).is_file():
            return self.path
        if self.placement != "first":
            raise ExpertError(
                f"{self.path} holds a soft prompt whose place is {self.placement!r}, and PEFT puts "
                "every soft prompt before the whole text, where this one means nothing. Ask with it "
                "through blackbox_align, or fit another with --placement first."
            )
        raise ExpertError(
            f"{self.path} holds what PEFT does not apply as a whole; ask with it through blackbox_align."
        )

    def refuse_other_model(self, info: EngineInfo) -> None:
        """Raise :class:`SpecificationError` unless ``info`` is of the model that it was fitted on.

        A text means something to every model. An engine that knows no revision of its model is not asked.
        """
        adapter = self.adapter()
        if not info.revision or (adapter.prompt is None and not adapter.loras):
            return
        if self.card.revision != info.revision:
            raise SpecificationError(
                f"{self.path} was fitted on {self.card.model or 'another model'!r} in a revision "
                f"({self.card.revision[:12]}) that is not that of {info.name!r} "
                f"({info.revision[:12]}): a soft prompt means nothing to another model. Name its "
                "model with --model."
            )

    def refuse_speechless(self) -> None:
        """Raise :class:`ExpertError` where it has lost the language, and so writes no texts."""
        if not self.card.speaks:
            assert self.card.language is not None
            raise ExpertError(
                f"{self.path} makes plain text {self.card.language.ratio:.1f} times as perplexing to its "
                "model: it has lost the language and is for questionnaires only. Ask it closed questions, "
                "or fit another with a larger --language."
            )

    def read_otherwise(self, chat_template: str, system: str) -> str:
        """A sentence where other text stands around a question than when it was fitted, or nothing."""
        now = {"chat_template": chat_template, "system": system}
        usual = {"chat_template": "auto", "system": ""}
        then = {name: self.card.settings.get(name, usual[name]) for name in now}
        if then == now:
            return ""
        said = " ".join(f"--{name.replace('_', '-')} {value!r}" for name, value in then.items())
        return (
            f"{self.path} was fitted with other text around a question ({said}), so its answers may "
            "differ from those that it was fitted to give."
        )


def find_expert(folder: Path | str) -> Expert:
    """The expert in a folder, or the one in the folder of a run."""
    path = Path(folder)
    inner = path / "expert"
    return read_expert(inner if (inner / RECORD).is_file() else path)


def read_expert(folder: Path | str) -> Expert:
    """Read an expert folder; :class:`ExpertError` where it is none, or where its record is damaged.

    The adapter's own files are checked when :meth:`Expert.adapter` reads them.
    """
    path = Path(folder)
    if not (path / RECORD).is_file():
        raise ExpertError(f"{path} is not an expert folder: it holds no {RECORD}.")
    try:
        if read_object(path / RECORD).get("format") == 1:
            return Expert(path, _card_of_format1(path), None)
        value = read_sealed_json(path / RECORD)
        if value.get("format") != FORMAT:
            raise ExpertError(
                f"{path} is in expert format {value.get('format')!r}; this version reads {FORMAT} and 1."
            )
        record = from_plain(Record, value, f"{path / RECORD}")
        _refuse_outside(path, record.parts)
    except RunError as error:
        raise ExpertError(str(error)) from None
    return Expert(path, record.card, record.parts, record.base, record.proof)


def _refuse_outside(folder: Path, parts: Parts) -> None:
    """A record tells of files in its own folder alone, each with its hash."""
    named = [name for name in (parts.prompt, parts.gate) if name]
    for inner in parts.peft:
        named += [name if inner == "." else f"{inner}/{name}" for name in (CONFIG, WEIGHTS)]
    for name in (*parts.sha256, *named):
        place = PureWindowsPath(name)  # knows both kinds of separators
        if place.anchor or ".." in place.parts or "\0" in name or name not in parts.sha256:
            raise ExpertError(
                f"{folder / RECORD} tells of a file {name!r}, which is none of its own; it is damaged."
            )


def _read(folder: Path, parts: Parts) -> Adapter:
    """The adapter of a folder whose files have the hashes that they were written with."""
    for name, expected in parts.sha256.items():
        place = folder / name
        with plain_errors(place):
            content = place.read_bytes() if place.is_file() else b""
        if hashlib.sha256(content).hexdigest() != expected:
            raise ExpertError(
                f"{place} is not the file that this expert was written with: it was edited, cut short, "
                "swapped or lost. Take the expert from where it was made, or fit it again."
            )
    loras: list[Lora] = []
    prompt = None
    for inner in parts.peft:
        adapter = read_peft(folder / inner)
        loras += adapter.loras
        prompt = adapter.prompt or prompt
    if parts.prompt:
        vectors = read_tensors(folder / parts.prompt).get("prompt_embeddings", np.zeros(0))
        prompt = SoftPrompt(vectors, parts.placement)  # type: ignore[arg-type]
    gate = _gate(folder, parts) if parts.gate else None
    found = Adapter(parts.text, prompt, tuple(loras), gate)
    if found.digest() != parts.digest:
        raise ExpertError(
            f"{folder}: its files are not the adapter that {RECORD} tells of; take the expert from "
            "where it was made, or fit it again."
        )
    return found


def _gate(folder: Path, parts: Parts) -> Gate:
    arrays = read_tensors(folder / parts.gate)
    return Gate(arrays.get("weights"), arrays.get("rows"), parts.temperature)


# -- format 1: soft prompts, whose files nothing ties to the record ------------------------------


def _card_of_format1(folder: Path) -> Card:
    metadata = read_object(folder / RECORD)
    result = read_format1(metadata, f"{folder / RECORD}")
    settings: Any = metadata.get("specification", {})
    return Card.of(result, next(iter(result.provenance.populations)), settings)


def _adapter_of_format1(folder: Path) -> Adapter:
    metadata = read_object(folder / RECORD)
    placement = metadata.get("placement", "first")
    if placement not in PLACEMENTS:
        raise ExpertError(f"{folder / RECORD}: the placement {placement!r} is not known.")
    try:
        if placement == "first":
            found = read_peft(folder)
        else:
            found = Adapter(prompt=read_bare_prompt(folder, placement))
    except BlackboxAlignError as error:
        raise ExpertError(str(error)) from None
    tokens = metadata.get("specification", {}).get("tokens")
    if found.prompt is None or (tokens is not None and len(found.prompt) != tokens):
        raise ExpertError(f"{folder / WEIGHTS} is not of this expert, which has {tokens!r} tokens.")
    return found
