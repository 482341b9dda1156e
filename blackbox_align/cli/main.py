"""The entry point: all commands, and one sentence instead of a traceback."""

from __future__ import annotations

import errno
import os
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
from .runs import runs_command, show_command
from .score import score_command
from .screen import print_error
from .surveys import surveys_app

app = typer.Typer(
    name="bbalign",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
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
    """Run the command line; exit 2 for a mistake in what was asked, 1 for trouble, 130 for Ctrl-C."""
    _keep_printing()
    try:
        status = app(standalone_mode=False)
        sys.stdout.flush()
    except BlackboxAlignError as error:
        print_error(str(error))
        status = 1 if isinstance(error, (RunError, ExpertError)) else 2
    except OSError as error:
        status = _printing_failed(error)
    except Exception as error:
        status = _usage_mistake(error)
    sys.exit(status)


def _keep_printing() -> None:
    """Make both streams fit for anything: a closed one swallows, one that knows ASCII only says '?'."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _printing_failed(error: OSError) -> int:
    """A reader that has gone, such as `head`, is no trouble; a full disk is, in a sentence."""
    if error.errno not in (errno.EPIPE, errno.ENOSPC) or error.filename is not None:
        raise error
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123
    if error.errno == errno.EPIPE:
        return 0
    print_error(f"The output could not be written: {error.strerror}.")
    return 1


def _usage_mistake(error: Exception) -> int:
    """The sentence of an option or argument that the parser refuses; anything else is passed on."""
    if not hasattr(error, "format_message"):
        raise error
    context = getattr(error, "ctx", None)
    where = context.command_path if context is not None else "bbalign"
    sentence = error.format_message().rstrip(".")
    if sentence:  # there is none where nothing was asked and the help is what was printed
        print_error(f"{sentence}. See `{where} --help`.")
    return int(getattr(error, "exit_code", 2))
