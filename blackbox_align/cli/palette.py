"""``bbalign palette``: colours, which are experts of groups of countries, and a gate over them."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options
from .fit_options import Evaluations, HeldOut, Opinions, Orders, Seconds, Seed, Tokens
from .options import MaxTokens, ModelHere, check_most, group, model_option, panel
from .palette_output import print_answer, print_gate, print_map, print_scores, show_palette
from .progress import fit_progress
from .screen import command, print_hint, print_json, say

if TYPE_CHECKING:
    from ..palette.gate import GateSettings
    from ..palette.palette import Palette

_gate = panel("The gate")
Folder = Annotated[Path, typer.Argument(help="The palette's folder.", show_default=False)]
MapName = Annotated[str, typer.Option("--map", help="A map's name, or a YAML file.")]
Source = Annotated[str | None, _gate(help="feed-forward, or layer-input as published.")]
Centred = Annotated[bool | None, _gate("--centred/--not-centred", help="Rows around their mean.")]
Scope = Annotated[str | None, _gate(help="A gate for a whole prompt, or for every token.")]
GateTemperature = Annotated[float | None, _gate(help="Of the gate's softmax.")]
Published = Annotated[bool, _gate("--published", help="The gate as the paper's merge has it.")]

palette_app = group(
    "Colours: experts of groups of countries, and a gate over them (Cultural Palette).",
    no_args_is_help=True,
)


@palette_app.command("map")
def map_command(
    name: Annotated[
        str, typer.Argument(help="A map's name, or a YAML file. Default: all that ship.")
    ] = "",
    opinions: Opinions = "world-opinions",
    as_json: options.AsJson = False,
) -> None:
    """Show a map of colours, and whether people's answers tell its colours apart."""
    from ..palette.maps import load_map, map_names
    from ..palette.separability import separability
    from ..results.plain import to_plain
    from ..surveys.opinion_files import load_opinions

    maps = [load_map(one) for one in ([name] if name else map_names())]
    survey = load_opinions(opinions)
    found = [separability(one, survey) for one in maps]
    if as_json:
        told = [
            {"map": to_plain(one), "separability": to_plain(far)}
            for one, far in zip(maps, found, strict=True)
        ]
        print_json(told[0] if name else told)
        return
    for one, far in zip(maps, found, strict=True):
        print_map(one, far, survey.survey.title)


@palette_app.command("fit")
def fit_command(
    folder: Folder,
    map_name: MapName = "continents",
    opinions: Opinions = "world-opinions",
    model: options.ModelName = "respondent-tiny",
    revision: options.Revision = None,
    device: options.Device = "auto",
    dtype: options.Dtype = "auto",
    trust_remote_code: options.TrustRemoteCode = False,
    tokens: Tokens = None,
    held_out: HeldOut = 0.5,
    orders: Orders = "auto",
    budget: Evaluations = 1000,
    seconds: Seconds = None,
    seed: Seed = 0,
    source: Source = None,
    centred: Centred = None,
    scope: Scope = None,
    gate_temperature: GateTemperature = None,
    published: Published = False,
    as_json: options.AsJson = False,
) -> None:
    """Fit a colour for each part of a map, without gradients: one soft prompt a colour.

    A colour is fitted to the mean answers of its countries. The same command again continues, or shows what
    is done.
    """
    from ..palette.fitting import ColourSearch, fit_palette
    from ..palette.maps import load_map

    check_most(10_000, tokens=tokens)
    check_most(10_000_000, budget=budget)
    chosen = load_map(map_name)
    settings = gate_settings(published, source, centred, scope, gate_temperature)
    with fit_progress([colour.name for colour in chosen.colours]) as draw:
        made = fit_palette(
            folder,
            chosen,
            ColourSearch(
                opinions,
                held_out,
                tokens,
                orders,
                budget,
                seconds,
                seed,
                fit_temperature=not published and gate_temperature is None,
            ),
            model=model,
            revision=revision,
            device=device,
            dtype=dtype,
            trust_remote_code=trust_remote_code,
            gate=settings,
            on_progress=draw,
        )
    show_palette(made, as_json)
    if not as_json:
        print_hint(f"How it answers for single countries: {command('palette', 'assess', folder)}")


@palette_app.command("show")
def show_command(folder: Folder, as_json: options.AsJson = False) -> None:
    """Show a palette: its colours, what they were made of, and its gate."""
    from ..palette.palette import read_palette

    show_palette(read_palette(folder), as_json)


@palette_app.command("ask")
def ask_command(
    folder: Folder,
    question: Annotated[str, typer.Argument(help="The question.", show_default=False)],
    options: Annotated[str, model_option(help='Its options: "yes,no".')] = "",
    about: Annotated[
        str,
        model_option(help="A country, whose name the gate reads. Default: the question itself."),
    ] = "",
    max_tokens: MaxTokens = 128,
    source: Source = None,
    centred: Centred = None,
    gate_temperature: GateTemperature = None,
    model: ModelHere = None,
    device: options.Device = "auto",
    as_json: options.AsJson = False,
) -> None:
    """Ask a palette: each colour's simulated answer and the pool that its gate makes of them.

    Without --options a text is written, each token drawn once from the pool of all colours.
    """
    from .. import engines
    from ..committee import answer_closed, closed_question, simulated_note, write_all
    from ..engines.base import Sampling
    from ..populations import find_country

    check_most(100_000, max_tokens=max_tokens)
    survey = closed_question(question, options.split(",")) if options else None
    subject = find_country(about).name if about else question
    palette = palette_of(folder, source, centred, gate_temperature)
    with closing(engines.open(model or palette.record.model, device=device)) as engine:
        committee = palette.committee(engine)
        decision = palette.decide(engine, subject)
        answered: dict[str, Any] = {"decision": decision.to_dict()}
        if survey is not None:
            parts, mixture = answer_closed(committee, decision, survey)
            shares = {n: row.tolist() for n, row in zip(decision.weights, parts, strict=True)}
            answered |= {
                "options": list(survey.items[0].scale.options),
                "parts": shares,
                "pool": mixture.tolist(),
            }
        else:
            asked = committee.requests(
                [{"role": "user", "content": question}],
                decision,
                "pooled",
                sampling=Sampling(max_tokens),
            )
            answered["text"] = write_all(engine, asked)[0].text
        answered["note"] = simulated_note(engine.info.name, engine.info.disclaimer)
    if as_json:
        print_json(answered)
        return
    print_answer(palette, decision.weights, answered)


@palette_app.command("assess")
def assess_command(
    folder: Folder,
    opinions: Opinions = "world-opinions",
    country: Annotated[
        list[str] | None, typer.Option(help="A country of the map; repeat for more.")
    ] = None,
    orders: Orders = "cyclic",
    source: Source = None,
    centred: Centred = None,
    gate_temperature: GateTemperature = None,
    model: ModelHere = None,
    device: options.Device = "auto",
    resamples: Annotated[int, typer.Option(help="Draws of the bootstrap.", min=1)] = 1000,
    as_json: options.AsJson = False,
) -> None:
    """Measure a palette on single countries: questions that no colour was fitted to, beside baselines."""
    from .. import engines
    from ..palette.assess import POOL, assess_palette
    from ..results.plain import to_plain
    from ..surveys.opinion_files import load_opinions

    check_most(1_000_000, resamples=resamples)
    palette = palette_of(folder, source, centred, gate_temperature)
    survey = load_opinions(opinions)
    with closing(engines.open(model or palette.record.model, device=device)) as engine:
        scores, gate = assess_palette(palette, engine, survey, country or (), orders)
        info = engine.info
    if as_json:
        about = {
            "model": info.name,
            "revision": info.revision,
            "orders": orders,
            "survey": survey.survey.title,
            "gate": to_plain(palette.gate),
        }
        print_json(to_plain({**about, **scores.to_dict([POOL]), "gate_report": gate}))
        return
    print_scores(scores, POOL, resamples)
    say()
    print_gate(gate)
    say()
    say(
        f"{info.name}, options in orders {orders!r}, {survey.survey.title}; questions that no colour was "
        f"fitted to. S = 100 (1 - JS distance in nats). Brackets: 95 % over questions, {resamples:,} "
        "resamples. Uniform answers and the mean of other countries need no model: read all beside them."
    )
    if info.disclaimer:
        say(info.disclaimer)


def gate_settings(
    published: bool,
    source: str | None = None,
    centred: bool | None = None,
    scope: str | None = None,
    temperature: float | None = None,
) -> GateSettings:
    """The settings of a gate from the options of a command."""
    from ..palette.gate import MEASURED, PUBLISHED, with_settings

    begun = PUBLISHED if published else MEASURED
    return with_settings(
        begun, source=source, centred=centred, scope=scope, temperature=temperature
    )


def palette_of(
    folder: Path, source: str | None, centred: bool | None, temperature: float | None
) -> Palette:
    """A palette under its own gate, but for what is asked for otherwise."""
    from ..palette.palette import read_palette

    changes = {"source": source, "centred": centred, "temperature": temperature}
    return read_palette(folder).with_gate(**changes)
