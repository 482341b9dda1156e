"""The entry point: all commands, and one sentence instead of a traceback."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ..errors import BlackboxAlignError, ExpertError, RunError
from ..version import __version__
from .cache import cache_command
from .compare import compare_command
from .doctor import doctor_command
from .fit import fit_command
from .lists import countries_command, models_command, optimizers_command
from .output import stderr
from .runs import runs_command, show_command
from .score import score_command
from .surveys import surveys_app

app = typer.Typer(
    name="bbalign",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Align a frozen language model with the answers people give in surveys, without gradients.",
    epilog="Start with:  bbalign fit --country SAU",
)
app.command("fit")(fit_command)
app.command("show")(show_command)
app.command("score")(score_command)
app.command("compare")(compare_command)
app.command("doctor")(doctor_command)
app.command("cache")(cache_command)
app.command("runs")(runs_command)
app.command("countries")(countries_command)
app.add_typer(surveys_app, name="surveys")
app.command("models")(models_command)
app.command("optimizers")(optimizers_command)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and end.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """What stands before a command."""


def main() -> None:
    """Run the command line; exit 2 for a mistake in what was asked, 1 for trouble on the way."""
    try:
        app()
    except BlackboxAlignError as error:
        stderr().print(
            f"[bold red]Error:[/] {_escape(str(error))}", highlight=False, soft_wrap=True
        )
        sys.exit(1 if isinstance(error, (RunError, ExpertError)) else 2)


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)
