"""``bbalign experts``: a library of experts, from which a committee answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ExpertError, SpecificationError, require_one_of
from .options import AsJson, Device, LibraryFolder, ModelHere, ModelName, check_most, group
from .screen import command, print_hint, print_json, print_note, print_table, say

if TYPE_CHECKING:
    from ..engines.local.chat import ChatFormat
    from ..experts import Entry, Expert

Name = Annotated[str, typer.Argument(help="An expert's name in the library.", show_default=False)]
_HERE = Path("experts")

experts_app = group(
    "Keep experts in a library, from which `bbalign ask` answers.", no_args_is_help=True
)


@experts_app.command("list")
def list_command(library: LibraryFolder = _HERE, as_json: AsJson = False) -> None:
    """List the experts of a library, and what is wrong with those that are none."""
    from ..experts import Library

    entries = list(Library(library).entries())
    if as_json:
        print_json([_about(entry) for entry in entries])
        return
    sound = [entry.expert for entry in entries if entry.expert is not None]
    if sound:
        print_table(
            ("expert", "population", "what it is", "model"),
            [(e.name, e.card.name, _kind(e), e.card.model) for e in sound],
        )
    for entry in entries:
        if entry.trouble:
            print_note(f"{entry.name}: {entry.trouble}")
    if not entries:
        add = command("experts", "add", "runs/RUN", "--library", library)
        print_note(f"There is no expert in {library}/ yet; this adds those of a run: {add}")


@experts_app.command("show")
def show_command(name: Name, library: LibraryFolder = _HERE, as_json: AsJson = False) -> None:
    """Show an expert: for whom, on which model, of what, and what it answers."""
    from ..experts import Entry, Library

    expert = Library(library).read(name)
    about = _about(Entry(name, expert))
    if as_json:
        print_json({**about, "answers": expert.card.answers})
        return
    print_table(("expert", name), [(k, str(v)) for k, v in about.items() if k != "expert" and v])
    for instrument, answers in expert.card.answers.items():
        say()
        print_table(
            (instrument, "its simulated answers, % of each option in order"),
            [
                (item, " ".join(f"{100 * p:.0f}" for p in shares))
                for item, shares in answers.items()
            ],
        )
    for limit in expert.card.limits:
        say(f"* {limit}")


@experts_app.command("check")
def check_command(library: LibraryFolder = _HERE, as_json: AsJson = False) -> None:
    """Read every file of a library against its hash; exit 1 where one is damaged or foreign."""
    from ..experts import Library

    entries = list(Library(library).check())
    wrong = sum(1 for entry in entries if entry.trouble)
    if as_json:
        print_json([_about(entry) for entry in entries])
    else:
        for entry in entries:
            print_hint(f"{entry.name}: {entry.trouble or 'whole'}")
    if wrong:
        raise ExpertError(f"{wrong} of {len(entries)} folders in {library} are no whole expert.")


@experts_app.command("add")
def add_command(
    source: Annotated[
        str,
        typer.Argument(help="A run's name or folder, or an expert's folder.", show_default=False),
    ],
    name: Annotated[
        str, typer.Option(help="What it is called here. Default: its population's code.")
    ] = "",
    library: LibraryFolder = _HERE,
) -> None:
    """Copy the experts of a run, or an expert's folder, into the library."""
    from ..experts import Library

    folder = Path(source)
    if not folder.exists() and (Path("runs") / source).is_dir():
        folder = Path("runs") / source
    for expert in Library(library).add(folder, name):
        print_hint(f"{expert.name}: {expert.card.name}, {_kind(expert)}, in {expert.path}")


@experts_app.command("personas")
def personas_command(
    source: Annotated[
        Path | None,
        typer.Argument(
            help="A persona text a line, or a CSV file with a column text and attributes. Default: drawn "
            "from a small grammar.",
            show_default=False,
        ),
    ] = None,
    count: Annotated[int, typer.Option(help="Personas to draw.")] = 50,
    survey: Annotated[
        str, typer.Option(help="What they are asked once, for weights by known answers.")
    ] = "world-opinions",
    model: ModelName = "respondent-tiny",
    device: Device = "auto",
    seed: Annotated[int, typer.Option(help="Of the draw.", min=0)] = 0,
    library: LibraryFolder = _HERE,
) -> None:
    """Keep persona texts as experts: the rival that needs no search."""
    from contextlib import closing

    import numpy as np

    from .. import engines
    from ..committee import drawn_personas, read_personas, write_personas
    from ..populations import load_targets
    from ..surveys.instruments import instrument_of, load_instrument
    from ..surveys.survey import Survey

    check_most(100_000, count=count)
    rng = np.random.default_rng(seed)
    personas = read_personas(source) if source else drawn_personas(count, rng)
    held = load_instrument(survey)
    instrument = instrument_of(held, targets=load_targets() if isinstance(held, Survey) else None)
    with closing(engines.open(model, device=device)) as engine:
        made = write_personas(personas, engine, instrument, library)
    print_hint(f"{len(made)} personas in {library}, asked {len(instrument.items)} questions each.")


@experts_app.command("remove")
def remove_command(name: Name, library: LibraryFolder = _HERE) -> None:
    """Delete an expert from the library."""
    from ..experts import Library

    Library(library).remove(name)


@experts_app.command("export")
def export_command(
    out: Annotated[Path, typer.Argument(help="The new folder.", show_default=False)],
    expert: Annotated[
        list[str] | None, typer.Option(help="An expert's name; repeat for more. Default: all.")
    ] = None,
    format: Annotated[
        str,
        typer.Option(
            help="vocabulary: one checkpoint with every expert's vectors as tokens; prompt-embeds: a "
            "base64 part for each, as vLLM takes them."
        ),
    ] = "vocabulary",
    model: ModelHere = None,
    library: LibraryFolder = _HERE,
) -> None:
    """Write experts in a form that serving engines load."""
    from ..engines.checkpoint import find_model
    from ..experts import Library
    from ..experts.prompt_embeds import export_prompt_embeds
    from ..experts.vocabulary import export_vocabulary

    require_one_of("--format", format, ("vocabulary", "prompt-embeds"))
    found = Library(library)
    chosen = [found.read(name) for name in dict.fromkeys(expert or found.names())]
    if format == "prompt-embeds":
        if model is not None:
            raise SpecificationError(
                "No model is read for --format prompt-embeds; leave --model out."
            )
        for name, file in export_prompt_embeds(chosen, out).items():
            print_hint(f"{name}: {file}, for the place {found.read(name).placement!r}")
        return
    made = export_vocabulary(find_model(model or model_of(chosen)), chosen, out)
    for name, tokens in made.tokens.items():
        print_hint(f"{name}: tokens {tokens[0]} to {tokens[-1]}")
    print_hint(
        f"{made.path}: logits within {made.difference:.2g} of those under the vectors; all virtual tokens "
        f"together have a probability of {made.share:.2g} at most over probes, and are suppressed in "
        "generation_config.json. Render the chat template with expert=NAME."
    )


def model_of(experts: list[Expert]) -> str:
    """The model that experts were fitted on; :class:`SpecificationError` where it is not one."""
    bound = [e for e in experts if e.adapter().prompt is not None or e.adapter().loras] or experts
    models = list(dict.fromkeys(expert.card.model for expert in bound))
    if len(models) != 1:
        seen = " and ".join(models) or "none"
        raise SpecificationError(
            f"The experts were fitted on {seen}; expected one model. Name it with --model."
        )
    return models[0]


def form_as_fitted(experts: Sequence[Expert]) -> ChatFormat | None:
    """What stood around a question when these experts were fitted; None for a model without any."""
    from ..engines.opening import chat_format

    if not experts:
        return None
    card = experts[0].card
    template, system = card.settings.get("chat_template"), card.settings.get("system")
    return chat_format(template or "auto", system or "", card.date)


def _about(entry: Entry) -> dict[str, Any]:
    if entry.expert is None:
        return {"expert": entry.name, "trouble": entry.trouble}
    expert, card = entry.expert, entry.expert.card
    shape = expert.parts.shape if expert.parts else ()
    return {
        "expert": entry.name,
        "population": card.population,
        "name": card.name,
        "kind": _kind(expert),
        "model": card.model,
        "revision": card.revision,
        "width": shape[1] if len(shape) == 2 else None,
        "placement": expert.parts.placement if expert.parts and shape else None,
        "digest": expert.parts.digest if expert.parts else None,
        "questions": sum(len(answers) for answers in card.answers.values()),
        "trouble": "",
    }


def _kind(expert: Expert) -> str:
    """What an expert is, from its record alone."""
    parts = expert.parts
    if parts is None:
        return "soft prompt"
    kinds = ["text"] if parts.text else []
    if parts.shape:
        kinds.append(f"soft prompt of {parts.shape[0]}, {parts.placement}")
    loras = len(parts.peft) - (1 if parts.shape and not parts.prompt else 0)
    if loras > 0:
        kinds.append(f"{loras} LoRA")
    return " and ".join(kinds) or "the model as it is"
