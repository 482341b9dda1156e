"""``bbalign serve``: a model and a library of experts behind OpenAI's API, with a page to ask them."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import MissingDependencyError, SpecificationError
from .experts import form_as_fitted, model_of
from .options import Device, Dtype, check_finite, panel
from .screen import print_hint, print_note

if TYPE_CHECKING:
    from ..engines.local.engine import LocalEngine
    from ..experts import Expert
    from ..serving.desk import Desk

_limits = panel("What it takes on")
_HERE = Path("experts")


def serve_command(
    library: Annotated[
        Path,
        typer.Argument(
            help="The folder of the experts, looked at again for every request; or that of a palette."
        ),
    ] = _HERE,
    model: Annotated[
        str | None,
        typer.Option(help="The model. Default: that of the experts, or respondent-tiny."),
    ] = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    host: Annotated[
        str, typer.Option(help="Where it listens. Others than this machine reach 0.0.0.0.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes one that is free.", min=0, max=65535)] = 8000,
    api_key: Annotated[
        str,
        typer.Option(
            envvar="BBALIGN_API_KEY",
            help="What requests have to bring; in the variable other users of this machine do not see it.",
        ),
    ] = "",
    rows: Annotated[int, _limits(help="Texts written at once.", min=1)] = 256,
    size: Annotated[int, _limits(help="Bytes of a request.", min=1)] = 1 << 20,
    seconds: Annotated[float, _limits(help="For one request.")] = 300.0,
) -> None:
    """Serve a model and its experts: OpenAI's API, and a page where a person asks.

    Models are called base, each expert by its name, and committee; of a palette also palette, which weighs
    its colours by the gate. Ctrl-C ends it.
    """
    from .. import engines
    from ..palette.palette import EXPERTS as PALETTE_EXPERTS
    from ..palette.palette import RECORD as PALETTE_RECORD
    from ..palette.palette import read_palette
    from ..serving import Limits

    try:
        from ..serving.server import Address, serve
    except ImportError as error:
        raise MissingDependencyError(error.name or "fastapi", "bbalign serve") from None

    check_finite(seconds=seconds)
    limits = Limits(rows=rows, size=size, seconds=seconds)
    address = Address(host, port)
    if not address.local and not api_key:
        print_note("Whoever reaches this machine can ask; --api-key keeps others out.")
    palette = read_palette(library) if (library / PALETTE_RECORD).is_file() else None
    if palette is not None:
        library = library / PALETTE_EXPERTS
    experts = _experts(library)
    named = model or (model_of(experts) if experts else "respondent-tiny")
    form = form_as_fitted(experts)

    def open_engine() -> LocalEngine:
        engine: Any = engines.open(named, device=device, dtype=dtype, form=form)
        return engine

    def ready(desk: Desk) -> None:
        names = ", ".join(desk.roster.experts()) or "none yet"
        names += ", weighed by the gate of the palette" if palette else ""
        print_hint(f"{named} is loaded; experts: {names}.")

    ended = serve(
        open_engine,
        library,
        address=address,
        key=api_key,
        limits=limits,
        palette=palette,
        on_listening=lambda url: print_hint(
            f"Serving at {url} (Ctrl-C ends it); loading {named} ..."
        ),
        on_ready=ready,
    )
    if ended == signal.SIGINT:
        raise typer.Exit(130)


def _experts(library: Path) -> list[Expert]:
    """The sound experts that are there now: they say which model, and what stands around a question."""
    from ..experts import Library

    if library != _HERE and not library.exists():
        raise SpecificationError(
            f"There is no folder {str(library)!r} to serve experts from; `bbalign experts add` makes one."
        )
    return [entry.expert for entry in Library(library).entries() if entry.expert is not None]
