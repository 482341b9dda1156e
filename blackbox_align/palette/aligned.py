"""A palette of colours by preference: each trained, asked on held-out questions, proved and written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..adapters.adapter import Adapter
from ..assessment.asking import Asking
from ..assessment.assess import assess
from ..assessment.conditions import Condition
from ..engines import opening
from ..engines.base import Engine
from ..engines.checkpoint import find_model
from ..errors import ExpertError
from ..experts import Card, prove, write_expert
from ..experts.peft_files import CONFIG, read_object, read_peft
from ..files.atomic import plain_errors, write_text
from ..results.names import FITTED
from ..surveys.opinion_files import load_opinions
from ..surveys.opinion_instrument import Opinions
from ..surveys.opinions import OpinionSurvey
from ..surveys.sheet import sheet
from .alignment import AlignmentSettings, train_lora
from .fitting import ANSWERS, colour_answers, work_folder
from .gate import GateSettings
from .maps import PaletteMap
from .palette import Palette, refuse_other_folder, write_palette
from .preferences import Preference, read_preferences, survey_preferences, to_lines


@dataclass(frozen=True)
class PreferenceSource:
    """Where preferences are from: a ``file``, or drawn from the answers to a survey.

    Parameters
    ----------
    opinions : the survey, on whose held-out questions the colours are measured in either case
    count : how many preferences are drawn for each colour
    held_out : the share of the questions that none is drawn from
    items : ids of the questions to draw from, in the place of a share
    """

    file: str = ""
    opinions: str = "world-opinions"
    count: int = 600
    held_out: float = 0.5
    items: tuple[str, ...] = ()


def align_palette(
    folder: Path | str,
    palette_map: PaletteMap,
    source: PreferenceSource,
    settings: AlignmentSettings,
    *,
    model: str = "respondent-tiny",
    device: str = "auto",
    dtype: str = "auto",
    gate: GateSettings | None = None,
    on_step: Callable[[str, int, int, float], None] | None = None,
) -> Palette:
    """Train a LoRA for every colour and make a palette of them; an earlier call goes on, to the same bits.

    Beside ``folder`` one that is called as it is, with ``-align`` behind, holds preferences, checkpoints and
    experts.

    Parameters
    ----------
    on_step : called with the colour, the step, the number of steps and the loss

    Raises
    ------
    SpecificationError
        A folder was begun with other settings, or there are no preferences for a colour.
    ExpertError
        A trained colour does not answer in one pass as it does plainly.
    """
    place = Path(folder)
    refuse_other_folder(place)
    work = work_folder(place, "align")
    opinions = load_opinions(source.opinions)
    fitted = _fitted(opinions, source, settings.seed)
    write_text(work / ANSWERS, colour_answers(palette_map, opinions))
    target = load_opinions(work / ANSWERS)
    checkpoint = find_model(model, device=device, dtype=dtype)
    experts = {}
    with closing(opening.open(model, device=device, dtype=dtype)) as engine:
        for colour in palette_map.codes:
            preferences = drawn_preferences(palette_map, opinions, colour, source, settings.seed)
            write_text(work / f"{colour}.jsonl", to_lines(colour, preferences))
            told = None if on_step is None else partial(on_step, colour)
            lora = train_lora(checkpoint, preferences, settings, work / colour, told)
            experts[colour] = work / "experts" / colour
            adapter = Adapter(loras=(lora,))
            _write(engine, target, colour, adapter, fitted, experts[colour], asdict(settings))
        drawn = () if source.file else fitted
        return write_palette(place, palette_map, experts, engine, gate, drawn)


def adopt_lora(
    engine: Engine, palette_map: PaletteMap, colour: str, peft_folder: Path, folder: Path
) -> Path:
    """The folder of an expert made of a LoRA that PEFT wrote, measured on a colour's mean answers.

    Raises
    ------
    ExpertError
        It is no plain LoRA, does something else on this model than PEFT's updates say, or is damaged.
    """
    adapter = plain_lora(peft_folder)
    with plain_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
    answers = folder.parent / ANSWERS
    write_text(answers, colour_answers(palette_map, load_opinions("world-opinions")))
    _write(engine, load_opinions(answers), colour, adapter, (), folder, {"from": str(peft_folder)})
    return folder


def plain_lora(folder: Path) -> Adapter:
    """A LoRA that PEFT wrote; :class:`ExpertError` for DoRA, rsLoRA, and what is none."""
    if read_object(folder / CONFIG).get("use_rslora"):
        raise ExpertError(
            f"{folder} is rsLoRA, whose scale PEFT leaves out when it merges adapters: what a palette "
            "exports would not be what was trained. Train it with use_rslora=False."
        )
    return read_peft(folder)


def _fitted(opinions: OpinionSurvey, source: PreferenceSource, seed: int) -> tuple[str, ...]:
    """The questions that preferences are drawn from, in the order of the survey."""
    ids = [item.id for item in opinions.survey.items]
    if source.items:
        return tuple(name for name in ids if name in source.items)
    order = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,))).permutation(
        len(ids)
    )
    held_out = {ids[n] for n in order[: round(source.held_out * len(ids))]}
    return tuple(name for name in ids if name not in held_out)


def drawn_preferences(
    palette_map: PaletteMap,
    opinions: OpinionSurvey,
    colour: str,
    source: PreferenceSource,
    seed: int,
) -> tuple[Preference, ...]:
    """The preferences of a colour: those of the file, or drawn from the answers."""
    if source.file:
        return read_preferences(source.file, colour)
    place = palette_map.codes.index(colour)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1, place)))
    fitted = _fitted(opinions, source, seed)
    return tuple(survey_preferences(palette_map, opinions, colour, fitted, source.count, rng))


def _write(
    engine: Engine,
    target: OpinionSurvey,
    colour: str,
    adapter: Adapter,
    fitted: tuple[str, ...],
    folder: Path,
    settings: Mapping[str, Any],
) -> None:
    """The expert of a colour, with what it scores on the mean answers of its countries."""
    instrument = Opinions.of(target)
    (people,) = [one for one in instrument.populations if one.code == colour]
    result = assess(
        instrument,
        engine,
        [people],
        [Condition.plain(), Condition.country_in_text(), Condition(FITTED, lambda _: adapter)],
        Asking(engine.info.rotations, "own"),
        fitted_items=fitted,
    )
    proof = prove(engine, adapter, sheet(target.survey, "1"))
    card = replace(
        Card.of(result, colour, settings),
        opening=engine.info.opening,
        date=engine.info.date,
    )
    write_expert(folder, adapter, card, proof)
