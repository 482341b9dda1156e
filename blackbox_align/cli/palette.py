"""``bbalign palette``: colours, which are experts of groups of countries, and a gate over them."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import AsJson, Device, Dtype, ModelName, Revision, TrustRemoteCode, check_most
from .progress import fit_progress
from .screen import command, print_hint, print_json, print_note, print_table, say

if TYPE_CHECKING:
    from ..palette.gate import GateReport, GateSettings
    from ..palette.maps import PaletteMap
    from ..palette.palette import Palette
    from ..palette.scores import Scores
    from ..palette.separability import Separability
    from ..statistics.bootstrap import Estimate

_GATE, _ASKED = "The gate", "What is asked"
Folder = Annotated[Path, typer.Argument(help="The palette's folder.", show_default=False)]
MapName = Annotated[str, typer.Option("--map", help="A map's name, or a YAML file.")]
Opinions = Annotated[str, typer.Option(help="An opinion survey's name, or a file.")]
Source = Annotated[
    str | None,
    typer.Option(help="feed-forward, or layer-input as published.", rich_help_panel=_GATE),
]
Centred = Annotated[
    bool | None,
    typer.Option("--centred/--not-centred", help="Rows around their mean.", rich_help_panel=_GATE),
]
Scope = Annotated[
    str | None,
    typer.Option(help="A gate for a whole prompt, or for every token.", rich_help_panel=_GATE),
]
GateTemperature = Annotated[
    float | None, typer.Option(help="Of the gate's softmax.", rich_help_panel=_GATE)
]
Published = Annotated[
    bool,
    typer.Option(
        "--published", help="The gate as the paper's merge has it.", rich_help_panel=_GATE
    ),
]
ModelHere = Annotated[
    str | None, typer.Option(help="Where the model lies now. Default: as the palette names it.")
]

palette_app = typer.Typer(
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Colours: experts of groups of countries, and a gate over them (Cultural Palette).",
)


@palette_app.command("map")
def map_command(
    name: Annotated[
        str, typer.Argument(help="A map's name, or a YAML file. Default: all that ship.")
    ] = "",
    opinions: Opinions = "world-opinions",
    as_json: AsJson = False,
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
        _print_map(one, far, survey.survey.title)


@palette_app.command("fit")
def fit_command(
    folder: Folder,
    map_name: MapName = "continents",
    opinions: Opinions = "world-opinions",
    model: ModelName = "respondent-tiny",
    revision: Revision = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    trust_remote_code: TrustRemoteCode = False,
    tokens: Annotated[int, typer.Option(help="Length of a soft prompt.")] = 5,
    held_out: Annotated[float, typer.Option(help="Share of questions no search sees.")] = 0.5,
    orders: Annotated[
        str, typer.Option(help="1, reversed, cyclic, all; auto: what suits the model.")
    ] = "auto",
    budget: Annotated[int, typer.Option(help="Evaluations of the search.", min=1)] = 1000,
    seconds: Annotated[float | None, typer.Option(help="Stop after so much time.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same search.")] = 0,
    source: Source = None,
    centred: Centred = None,
    scope: Scope = None,
    gate_temperature: GateTemperature = None,
    published: Published = False,
    as_json: AsJson = False,
) -> None:
    """Fit a colour for each part of a map, without gradients: one soft prompt a colour.

    A colour is fitted to the mean answers of its countries. The same command again continues, or shows what
    is done.
    """
    from ..palette.fitting import fit_palette
    from ..palette.maps import load_map

    check_most(10_000, tokens=tokens)
    check_most(10_000_000, budget=budget)
    chosen = load_map(map_name)
    settings = _gate(published, source, centred, scope, gate_temperature)
    with fit_progress([colour.name for colour in chosen.colours]) as draw:
        made = fit_palette(
            folder,
            chosen,
            opinions=opinions,
            model=model,
            revision=revision,
            device=device,
            dtype=dtype,
            trust_remote_code=trust_remote_code,
            tokens=tokens,
            held_out=held_out,
            orders=orders,
            budget=budget,
            seconds=seconds,
            seed=seed,
            settings=settings,
            on_progress=draw,
        )
    _show(made, as_json)
    if not as_json:
        print_hint(f"How it answers for single countries: {command('palette', 'assess', folder)}")


@palette_app.command("show")
def show_command(folder: Folder, as_json: AsJson = False) -> None:
    """Show a palette: its colours, what they were made of, and its gate."""
    from ..palette.palette import read_palette

    _show(read_palette(folder), as_json)


@palette_app.command("ask")
def ask_command(
    folder: Folder,
    question: Annotated[str, typer.Argument(help="The question.", show_default=False)],
    options: Annotated[
        str, typer.Option(help='Its options: "yes,no".', rich_help_panel=_ASKED)
    ] = "",
    about: Annotated[
        str,
        typer.Option(
            help="A country, whose name the gate reads. Default: the question itself.",
            rich_help_panel=_ASKED,
        ),
    ] = "",
    max_tokens: Annotated[int, typer.Option(help="Length of a text.", min=1)] = 128,
    source: Source = None,
    centred: Centred = None,
    gate_temperature: GateTemperature = None,
    model: ModelHere = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Ask a palette: each colour's simulated answer and the pool that its gate makes of them.

    Without --options a text is written, each token drawn once from the pool of all colours.
    """
    from .. import engines
    from ..committee import answer_closed, closed_question, write_all
    from ..engines.base import Sampling
    from ..palette.palette import read_palette
    from ..populations import find_country

    check_most(100_000, max_tokens=max_tokens)
    survey = closed_question(question, options.split(",")) if options else None
    subject = find_country(about).name if about else question
    palette = read_palette(folder).with_gate(
        source=source, centred=centred, temperature=gate_temperature
    )
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
        answered["note"] = (
            "These are simulated answers: a model computed them, and nobody gave them. "
            f"{engine.info.disclaimer}".strip()
        )
    if as_json:
        print_json(answered)
        return
    _print_answer(palette, decision.weights, answered)


@palette_app.command("assess")
def assess_command(
    folder: Folder,
    opinions: Opinions = "world-opinions",
    country: Annotated[
        list[str] | None, typer.Option(help="A country of the map; repeat for more.")
    ] = None,
    orders: Annotated[str, typer.Option(help="1, reversed, cyclic, all.")] = "cyclic",
    source: Source = None,
    centred: Centred = None,
    gate_temperature: GateTemperature = None,
    model: ModelHere = None,
    device: Device = "auto",
    resamples: Annotated[int, typer.Option(help="Draws of the bootstrap.", min=1)] = 1000,
    as_json: AsJson = False,
) -> None:
    """Measure a palette on single countries: questions that no colour was fitted to, beside baselines."""
    from .. import engines
    from ..palette.assess import POOL, assess_palette
    from ..palette.palette import read_palette
    from ..results.plain import to_plain
    from ..surveys.opinion_files import load_opinions

    check_most(1_000_000, resamples=resamples)
    palette = read_palette(folder).with_gate(
        source=source, centred=centred, temperature=gate_temperature
    )
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


# -- how it looks -----------------------------------------------------------------------------------


def _gate(
    published: bool,
    source: str | None,
    centred: bool | None,
    scope: str | None,
    temperature: float | None,
) -> GateSettings:
    from ..palette.gate import MEASURED, PUBLISHED, with_settings

    begun = PUBLISHED if published else MEASURED
    return with_settings(
        begun, source=source, centred=centred, scope=scope, temperature=temperature
    )


def _show(palette: Palette, as_json: bool) -> None:
    from ..results.plain import to_plain

    record = palette.record
    if as_json:
        print_json(to_plain(record))
        return
    say(f"{record.map.title}, on {record.model}", style="bold")
    print_table(
        ("colour", "name", "countries", "adapter"),
        [
            (colour.code, colour.name, " ".join(colour.countries), record.experts[colour.code][:12])
            for colour in record.map.colours
        ],
    )
    gate = record.gate
    say(
        f"Gate: rows from the {gate.source} of the colours' names"
        f"{', centred' if gate.centred else ''}, one for every {gate.scope}, temperature "
        f"{gate.temperature:g}."
    )
    if record.fitted_items:
        say(f"Fitted to {len(record.fitted_items)} questions; the others were held out.")


def _print_map(palette_map: PaletteMap, far: Separability, survey: str) -> None:
    say(f"{palette_map.title} ({palette_map.name})", style="bold")
    own, of = far.nearest_is_own
    print_table(
        ("colour", "name", "countries with answers", "within", "to other colours"),
        [
            (c.code, c.name, str(c.countries), figure(c.within, 3), figure(c.between, 3))
            for c in far.colours
        ],
        right=(2, 3, 4),
    )
    print_table(
        ("country", "colour", "nearest colour", "own colour is nearer by"),
        [(c.code, c.colour, c.nearest, figure(c.gain, 3, sign=True)) for c in far.countries],
        right=(3,),
    )
    say(
        f"JS distances (nats) between single countries' answers to {far.questions} questions of {survey}: "
        f"within colours {figure(far.within, 3)}, between them {figure(far.between, 3)}, nearer by "
        f"{figure(far.gain, 3, sign=True)}. For {own} of {of} countries the own colour is the nearest. "
        "Brackets: 95 % over questions. A colour of one country has nothing within."
    )
    if far.left_out:
        say(f"Without answers: {', '.join(far.left_out)}.")
    say()


def print_scores(scores: Scores, against: str, resamples: int = 1000) -> None:
    """Every way of answering with its points, and what ``against`` gains over it."""
    import numpy as np

    means = scores.estimate(resamples=resamples)
    gains = scores.estimate(against, resamples)
    known = {way: int((~np.isnan(scores.column(way))).sum()) for way in scores.ways}
    print_table(
        ("answers", "points", f"minus {against}", "n"),
        [
            (
                way,
                figure(means[way], 1),
                "" if way == against else figure(gains[way], 1, sign=True),
                f"{known[way]:,}",
            )
            for way in scores.ways
        ],
        right=(1, 2, 3),
    )


def print_gate(gate: GateReport) -> None:
    """What the gate does, layer by layer."""
    rows = [
        (str(n + 1), f"{e:.2f}", f"{100 * own:.0f}", f"{share:.2f}")
        for n, (e, own, share) in enumerate(
            zip(gate.entropy, gate.own, gate.own_share, strict=True)
        )
    ]
    e, own, share = gate.pooled
    rows.append(("mean of layers", f"{e:.2f}", f"{100 * own:.0f}", f"{share:.2f}"))
    print_table(
        (
            "gate, layer",
            "entropy / ln K",
            "own colour first, % of countries",
            "weight of the own colour",
        ),
        rows,
        right=(1, 2, 3),
    )


def figure(estimate: Estimate, places: int, sign: bool = False) -> str:
    """An estimate with its interval, or a dash."""
    if estimate.value != estimate.value:
        return "-"
    kind = f"{'+' if sign else ''}.{places}f"
    return f"{estimate.value:{kind}} [{estimate.low:{kind}}, {estimate.high:{kind}}]"


def _print_answer(palette: Palette, weights: Any, answered: dict[str, Any]) -> None:
    names = {colour.code: colour.name for colour in palette.map.colours}
    if "options" in answered:
        columns = {**answered["parts"], "pool": answered["pool"]}
        heads = [f"{names[c]} ({100 * weights[c]:.0f} %)" for c in weights]
        rows = [
            [option, *(f"{100 * shares[n]:.1f}" for shares in columns.values())]
            for n, option in enumerate(answered["options"])
        ]
        print_table(("simulated, %", *heads, "pool"), rows, right=range(1, len(columns) + 1))
    else:
        print_table(
            ("colour", "share of the gate"),
            [(names[code], f"{weight:.3f}") for code, weight in weights.items()],
            right=(1,),
        )
        say()
        print_hint(answered["text"])
    say()
    for sentence in answered["decision"]["because"]:
        say(f"* {sentence}")
    print_note(answered["note"])
