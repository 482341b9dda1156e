"""``bbalign palette align | build | export``: palettes of LoRA, and what other programs load."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from ..errors import ExpertError, SpecificationError
from .fit_options import HeldOut, Opinions, Seed
from .options import AsJson, Device, Dtype, ModelHere, ModelName, check_most, named_values, panel
from .palette import (
    Centred,
    Folder,
    GateTemperature,
    MapName,
    Published,
    Scope,
    Source,
    gate_settings,
    palette_app,
    palette_of,
)
from .palette_output import show_palette
from .progress import live_sentence
from .screen import print_hint, print_json

_training, _PEFT = panel("The training"), "adapter_config.json"


@palette_app.command("align")
def align_command(
    folder: Folder,
    map_name: MapName = "continents",
    preferences: Annotated[
        str, typer.Option(help="A file of preferences. Default: drawn from the survey's answers.")
    ] = "",
    opinions: Opinions = "world-opinions",
    queries: Annotated[int, typer.Option(help="Preferences to draw for a colour.", min=1)] = 600,
    held_out: HeldOut = 0.5,
    model: ModelName = "respondent-tiny",
    device: Device = "auto",
    dtype: Dtype = "auto",
    strength: Annotated[float, _training(help="Lambda; 0 is fine-tuning alone.")] = 0.1,
    contrast: Annotated[str, _training(help="odds, or ratio.")] = "odds",
    normalise: Annotated[str, _training(help="mean a token, or sum.")] = "mean",
    learning_rate: Annotated[
        float | None, _training(help="Default: 5e-5; for a model that ships 2e-3.")
    ] = None,
    epochs: Annotated[int, _training(min=1)] = 2,
    batch: Annotated[int, _training(help="Questions of a step.", min=1)] = 8,
    rank: Annotated[int, _training(help="Of the LoRA.", min=1)] = 8,
    seed: Seed = 0,
    published: Published = False,
    as_json: AsJson = False,
) -> None:
    """Train a colour for each part of a map by preference: LoRA, own answers chosen, the others' rejected.

    The same command again goes on after a kill, to the same bits.
    """
    from ..models import packaged_models
    from ..palette.aligned import PreferenceSource, align_palette
    from ..palette.alignment import AlignmentSettings
    from ..palette.maps import load_map

    check_most(10_000_000, queries=queries)
    if learning_rate is None:
        learning_rate = 2e-3 if model in packaged_models() else 5e-5
    settings = AlignmentSettings(
        strength=strength, learning_rate=learning_rate, epochs=epochs, contrast=contrast,
        normalise=normalise, rank=rank, alpha=2.0 * rank, batch=batch, seed=seed,
    )  # fmt: skip
    with live_sentence("Loading") as tell:
        made = align_palette(
            folder,
            load_map(map_name),
            PreferenceSource(preferences, opinions, queries, held_out),
            settings,
            model=model,
            device=device,
            dtype=dtype,
            gate=gate_settings(published),
            on_step=lambda colour, step, steps, loss: tell(
                f"{colour}: step {step:,} of {steps:,}, loss {loss:.3f}"
            ),
        )
    show_palette(made, as_json)


@palette_app.command("build")
def build_command(
    folder: Folder,
    expert: Annotated[
        list[str], typer.Option(help="COLOUR=FOLDER of an expert; one for each colour of the map.")
    ],
    map_name: MapName = "continents",
    model: ModelHere = None,
    device: Device = "auto",
    source: Source = None,
    centred: Centred = None,
    scope: Scope = None,
    gate_temperature: GateTemperature = None,
    published: Published = False,
    as_json: AsJson = False,
) -> None:
    """Make a palette of experts that are there: of any kind, or LoRA as PEFT wrote them."""
    from tempfile import TemporaryDirectory

    from .. import engines
    from ..experts import find_expert
    from ..palette.aligned import adopt_lora
    from ..palette.maps import load_map
    from ..palette.palette import write_palette
    from .experts import model_of

    named = _by_colour(expert)
    chosen = load_map(map_name)
    bare = {
        code for code, path in named.items() if (path / _PEFT).is_file() and not _is_expert(path)
    }
    experts = {code: find_expert(path) for code, path in named.items() if code not in bare}
    if bare and model is None:
        raise SpecificationError(
            "LoRA that PEFT wrote need the model that they are of: give --model."
        )
    fitted = {item for one in experts.values() for item in one.card.fitted_items}
    settings = gate_settings(published, source, centred, scope, gate_temperature)
    with (
        closing(engines.open(model or model_of(list(experts.values())), device=device)) as engine,
        TemporaryDirectory() as temporary,
    ):
        places = {code: one.path for code, one in experts.items()}
        for code in sorted(bare):
            chosen.colour(code)
            places[code] = adopt_lora(engine, chosen, code, named[code], Path(temporary) / code)
        made = write_palette(folder, chosen, places, engine, settings, sorted(fitted))
    show_palette(made, as_json)


def _by_colour(pairs: list[str]) -> dict[str, Path]:
    """COLOUR=FOLDER, once for each."""
    named: dict[str, Path] = {}
    expected = "--expert is COLOUR=FOLDER, once for each colour"
    for code, path in named_values(pairs, expected):
        if not path or code in named:
            raise SpecificationError(f"{expected}; not '{code}={path}'.")
        named[code] = Path(path)
    return named


def _is_expert(path: Path) -> bool:
    return any((folder / "expert.json").is_file() for folder in (path, path / "expert"))


@palette_app.command("export")
def export_command(
    folder: Folder,
    out: Annotated[Path, typer.Argument(help="The new folder.", show_default=False)],
    format: Annotated[
        str,
        typer.Option(
            help="mixture: a Mixtral, Qwen2-MoE or Qwen3-MoE checkpoint; soup, ties or model-stock: one "
            "LoRA, as PEFT loads it."
        ),
    ] = "mixture",
    density: Annotated[float, typer.Option(help="The share of entries that TIES keeps.")] = 0.2,
    source: Source = None,
    centred: Centred = None,
    gate_temperature: GateTemperature = None,
    model: ModelHere = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Write a palette of LoRA in a form that other programs load."""
    from ..engines.checkpoint import find_model
    from ..experts.peft_files import write_lora
    from ..experts.write import base_of
    from ..palette.export import export_mixture
    from ..palette.merging import merge

    palette = palette_of(folder, source, centred, gate_temperature)
    blend = palette.blend()
    name = model or palette.record.model
    if format != "mixture":
        if out.exists():
            raise SpecificationError(f"{out} is there already; name a new folder.")
        merged = merge(blend.loras, format, density)
        out.mkdir(parents=True)
        write_lora(out, merged, base_of(name))
        told = {"folder": str(out), "format": format, "modules": len(merged.updates)}
        sentence = f"{out}: one LoRA ({format}) of {len(blend.loras)}, as PEFT loads it."
    else:
        checkpoint = find_model(name, device=device)
        if checkpoint.revision != palette.record.revision:
            raise ExpertError(
                f"{name!r} is not the model in the revision that the palette was made on; name it with "
                "--model."
            )
        made = export_mixture(
            checkpoint.model, blend.loras, palette.rows, out, palette.gate.temperature
        )
        told = {
            "folder": str(out), "format": format, "architecture": made.architecture,
            "weights": made.weights, "difference": made.difference,
        }  # fmt: skip
        sentence = (
            f"{out}: {made.architecture}, {made.weights:,} weights; its logits are within "
            f"{made.difference:.2g} of the blend's, as a share of their scale. It computes a gate for every "
            f"token, whatever the palette's own (which is one for every {palette.gate.scope})."
        )
    if as_json:
        print_json(told)
    else:
        print_hint(sentence)
