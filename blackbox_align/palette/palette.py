"""The palette folder: a map, an expert for each of its colours, and the states that a gate is made of.

::

    palette/
      palette.json        sealed: the map, how the gate is set, and digests of the experts by colour
      gate.safetensors    states of the colours' names by source: (layers, K, D)
      experts/africa/     an expert's folder as any other

Nothing is taken from a folder whose files are not those that ``palette.json`` was written with.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..adapters.adapter import Adapter, Gate
from ..committee import Committee, Decision
from ..engines.base import Engine, EngineInfo
from ..errors import ExpertError, RunError, SpecificationError
from ..experts import Expert, Library
from ..experts.tensors import read_tensors, write_tensors
from ..files.atomic import plain_errors, read_sealed_json, replace_folder, write_sealed_json
from ..results.plain import from_plain, to_plain
from .gate import GateSettings, gate_rows, name_states, prompt_weights, with_settings
from .maps import PaletteMap

Array = NDArray[np.floating]
FORMAT = 1
RECORD, GATE_FILE, EXPERTS = "palette.json", "gate.safetensors", "experts"
_LEAST_WEIGHT = 1e-9  # of a colour in a decision: a weight is above 0


@dataclass(frozen=True)
class Record:
    """The content of ``palette.json``; ``experts`` are digests of adapters by colour.

    ``fitted_items`` are the questions that some colour was fitted to.
    """

    format: int
    map: PaletteMap
    gate: GateSettings
    gate_sha256: str
    experts: Mapping[str, str]
    model: str
    revision: str
    fitted_items: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Palette:
    """Colours, each with its expert, and a gate over them.

    Parameters
    ----------
    path : its folder
    record : what ``palette.json`` says
    experts : in the order of the map's colours
    states : (layers, K, D) by source
    """

    path: Path
    record: Record
    experts: tuple[Expert, ...]
    states: Mapping[str, Array] = field(repr=False)

    @property
    def map(self) -> PaletteMap:
        return self.record.map

    @property
    def gate(self) -> GateSettings:
        return self.record.gate

    @property
    def fitted_items(self) -> tuple[str, ...]:
        """The questions that the colours were fitted to."""
        return self.record.fitted_items

    @cached_property
    def rows(self) -> Array:
        """(layers, K, D) rows of the gate."""
        return gate_rows(self.states, self.gate)

    def with_gate(self, **changes: Any) -> Palette:
        """The same colours under a gate with other settings (those that are not None)."""
        gate = with_settings(self.gate, **changes)
        return replace(self, record=replace(self.record, gate=gate))

    def adapters(self) -> list[Adapter]:
        """The colours' adapters, in the order of the map."""
        return [expert.adapter() for expert in self.experts]

    def layer_weights(self, engine: Engine, subjects: Sequence[str]) -> Array:
        """(subjects, layers, K) shares of the colours, by the state of a subject's name in the model."""
        states = np.asarray(engine.hidden(list(subjects), "feed-forward"), np.float64)
        return prompt_weights(self.rows, states, self.gate.temperature)

    def weights(self, engine: Engine, subjects: Sequence[str]) -> Array:
        """(subjects, K) shares of the colours: the mean over layers, for a pool has one gate alone."""
        return np.asarray(self.layer_weights(engine, subjects).mean(1))

    def decide(self, engine: Engine, subject: str) -> Decision:
        """The shares of the colours in what is said of ``subject``: a country's name, or a question."""
        (shares,) = self.weights(engine, [subject])
        kept = {
            colour.code: float(share)
            for colour, share in zip(self.map.colours, shares, strict=True)
            if share > _LEAST_WEIGHT
        }
        total = sum(kept.values())
        g = self.gate
        because = (
            f"The state of {subject!r} in the model was compared with those of the colours' names "
            f"({g.source}{', centred' if g.centred else ''}, temperature {g.temperature:g}).",
            "A continent is not a culture: `bbalign palette map` shows how far countries of one colour lie "
            "apart.",
        )
        return Decision({code: share / total for code, share in kept.items()}, "gate", because)

    def committee(self, engine: Engine) -> Committee:
        """The colours as a committee whose router is the gate.

        Raises :class:`ExpertError` where the colours are of another model than the engine's.
        """
        return Committee(engine, self.experts, lambda query: self.decide(engine, query.text))

    def blend(self, weights: Array | None = None) -> Adapter:
        """The colours as one adapter, whose gate shares every feed-forward part among them (Eq. 1).

        ``weights`` (layers, K) are those of one prompt; None is a gate for every token.

        Raises
        ------
        SpecificationError
            The colours are no LoRA: what is no weight of a feed-forward part cannot be blended in it.
        """
        adapters = self.adapters()
        if any(len(one.loras) != 1 or one.prompt is not None or one.text for one in adapters):
            raise SpecificationError(
                f"The colours of {self.path} are not one LoRA each, so they cannot be blended inside the "
                "model; ask them as a pool of answers, which works for any kind."
            )
        loras = tuple(one.loras[0] for one in adapters)
        temperature = self.gate.temperature
        gate = (
            Gate(weights) if weights is not None else Gate(rows=self.rows, temperature=temperature)
        )
        return Adapter(loras=loras, gate=gate)

    def refuse_other_model(self, info: EngineInfo) -> None:
        """Raise :class:`ExpertError` unless ``info`` is of the model that the colours were made on."""
        for expert in self.experts:
            expert.refuse_other_model(info)


def write_palette(
    folder: Path,
    palette_map: PaletteMap,
    experts: Mapping[str, Path],
    engine: Engine,
    settings: GateSettings | None = None,
    fitted_items: Sequence[str] = (),
) -> Palette:
    """Copy the experts of all colours into a palette's folder and read the gate's states.

    Parameters
    ----------
    experts : an expert's folder for every colour of the map
    settings : of the gate; by default those that were measured to be best

    Raises
    ------
    SpecificationError
        A colour has no expert, or there is one of no colour.
    ExpertError
        An expert is damaged, or of another model than the engine's.
    """
    missing = [code for code in palette_map.codes if code not in experts]
    if missing or len(experts) > len(palette_map.codes):
        strange = ", ".join(code for code in experts if code not in palette_map.codes) or "none"
        raise SpecificationError(
            f"A palette has one expert for each colour of its map; without one: "
            f"{', '.join(missing) or 'none'}; not in the map: {strange}."
        )
    refuse_other_folder(folder)
    draft = folder.with_name(f".{folder.name}.new")
    with plain_errors(folder):
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
    library = Library(draft / EXPERTS)
    digests = {}
    for code in palette_map.codes:
        (expert,) = library.add(experts[code], code)
        expert.refuse_other_model(engine.info)
        digests[code] = expert.adapter().digest()
    phrases = [colour.phrases or (colour.name,) for colour in palette_map.colours]
    write_tensors(draft / GATE_FILE, name_states(engine, phrases))
    record = Record(
        FORMAT,
        palette_map,
        settings or GateSettings(),
        _sha256(draft / GATE_FILE),
        digests,
        engine.info.name,
        engine.info.revision,
        tuple(fitted_items),
    )
    write_sealed_json(draft / RECORD, to_plain(record))
    replace_folder(draft, folder)
    return read_palette(folder)


def refuse_other_folder(folder: Path) -> None:
    """Raise :class:`SpecificationError` where ``folder`` is there and is no palette that may be replaced."""
    if folder.exists() and not (folder / RECORD).is_file():
        raise SpecificationError(
            f"{folder} is there and is no palette; name a folder that is new, or that of a palette."
        )


def read_palette(folder: Path | str) -> Palette:
    """Read a palette's folder; :class:`ExpertError` where it is none, or where something is damaged."""
    path = Path(folder)
    if not (path / RECORD).is_file():
        raise ExpertError(
            f"{path} is no palette: it holds no {RECORD}. `bbalign palette fit {path}` makes one."
        )
    try:
        value = read_sealed_json(path / RECORD)
        if value.get("format") != FORMAT:
            raise ExpertError(
                f"{path} is in palette format {value.get('format')!r}; this version reads {FORMAT}."
            )
        record = from_plain(Record, value, f"{path / RECORD}")
    except RunError as error:
        raise ExpertError(str(error)) from None
    if set(record.experts) != set(record.map.codes):
        raise ExpertError(f"{path / RECORD}: its experts are not those of its map's colours.")
    if not (path / GATE_FILE).is_file() or _sha256(path / GATE_FILE) != record.gate_sha256:
        raise ExpertError(
            f"{path / GATE_FILE} is not the file that this palette was written with: it was edited, cut "
            "short, swapped or lost. Make the palette again."
        )
    library = Library(path / EXPERTS)
    experts = tuple(library.read(code) for code in record.map.codes)
    for expert in experts:
        if expert.adapter().digest() != record.experts[expert.name]:
            raise ExpertError(f"{expert.path} is not the expert that {RECORD} tells of.")
    return Palette(path, record, experts, read_tensors(path / GATE_FILE))


def _sha256(path: Path) -> str:
    with plain_errors(path):
        return hashlib.sha256(path.read_bytes()).hexdigest()
