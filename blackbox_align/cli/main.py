"""The entry point: all commands, and one sentence instead of a traceback."""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from ..errors import BlackboxAlignError, ExpertError, RunError
from ..version import __version__
from . import palette_make, palette_synthesize  # noqa: F401  # their commands belong to the palette's own
from .ask import ask_command
from .cache import cache_command
from .compare import compare_command
from .doctor import doctor_command
from .experts import experts_app
from .fit import fit_command
from .lists import countries_command, models_command, optimizers_command
from .palette import palette_app
from .report import report_command
from .runs import runs_app, show_command
from .score import score_command
from .screen import print_error
from .serve import serve_command
from .surveys import surveys_app

log = logging.getLogger("blackbox_align")

# The commands and groups of them, each with two examples, which stand below its help.
COMMANDS: tuple[tuple[str, Callable[..., None] | typer.Typer, str, str], ...] = (
    ("fit", fit_command,
     "bbalign fit --country SAU",
     "bbalign fit --country SAU,USA --optimizer cma-diagonal --budget 1000"),
    ("show", show_command,
     "bbalign show SAU-respondent-tiny-gauss-newton-0",
     "bbalign show runs/mine --json"),
    ("report", report_command,
     "bbalign report SAU-respondent-tiny-gauss-newton-0",
     "bbalign report runs/comparison --figures pdf --out paper"),
    ("score", score_command,
     "bbalign score world-opinions --country KEN --condition none --condition prompting",
     "bbalign score vsm2013 --country cultural-palette --baselines"),
    ("ask", ask_command,
     'bbalign ask "How do Egyptians greet an elder?" --as parts',
     'bbalign ask "Is it right to keep what one finds?" --options "yes,no" --population SAU=0.3,EGY=0.7'),
    ("serve", serve_command,
     "bbalign serve experts --port 8000",
     "bbalign serve experts --model HuggingFaceTB/SmolLM2-135M-Instruct --host 0.0.0.0 --api-key SECRET"),
    ("compare", compare_command,
     "bbalign compare --country SAU,CHN --optimizer gauss-newton --optimizer de --optimizer random",
     "bbalign compare plan.yaml --jobs 2 --csv searches.csv"),
    ("doctor", doctor_command,
     "bbalign doctor",
     "bbalign doctor --model meta-llama/Llama-3.1-8B-Instruct --device cuda"),
    ("cache", cache_command, "bbalign cache", "bbalign cache --clear"),
    ("countries", countries_command,
     "bbalign countries SAU",
     "bbalign countries Europe --targets matrix-2015"),
    ("models", models_command, "bbalign models", "bbalign models --json"),
    ("optimizers", optimizers_command,
     "bbalign optimizers",
     "bbalign optimizers --nevergrad --json"),
    ("surveys", surveys_app,
     "bbalign surveys show world-opinions",
     "bbalign surveys check mine.yaml"),
    ("runs", runs_app,
     "bbalign runs --where country=SAU --sort loss",
     "bbalign runs diff RUN ANOTHER"),
    ("experts", experts_app,
     "bbalign experts add runs/RUN",
     "bbalign experts export served --expert SAU"),
    ("palette", palette_app,
     "bbalign palette map continents",
     "bbalign palette fit palettes/continents"),
)  # fmt: skip

app = typer.Typer(
    name="bbalign",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    help="Align a frozen language model with the answers people give in surveys, without gradients.",
    epilog="Start with:  bbalign fit --country SAU",
)
for _name, _command, *_lines in COMMANDS:
    _examples = "\n\n".join(["For example:", *_lines])
    if isinstance(_command, typer.Typer):
        app.add_typer(_command, name=_name, epilog=_examples)
    else:
        app.command(_name, epilog=_examples)(_command)


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
    debug: Annotated[
        bool, typer.Option("--debug", help="Say what is done, and show where an error comes from.")
    ] = False,
) -> None:
    """What stands before a command."""


def main() -> None:
    """Run the command line; exit 2 for a mistake in what was asked, 1 for trouble, 130 for Ctrl-C.

    ``--debug`` may stand anywhere: what the package logs goes to the screen, and an error brings its
    traceback.
    """
    _keep_printing()
    debug = "--debug" in sys.argv[1:]
    if debug:
        _show_log()
    try:
        status = app([word for word in sys.argv[1:] if word != "--debug"], standalone_mode=False)
        sys.stdout.flush()
    except Exception as error:
        if debug:
            log.debug("The error below comes from here:", exc_info=True)
        status = _say(error)
    sys.exit(status)


def _show_log() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    log.debug("bbalign %s, Python %s: %s", __version__, sys.version.split()[0], sys.argv[1:])


def _say(error: Exception) -> int:
    """One sentence for an error, and the exit code."""
    if isinstance(error, BlackboxAlignError):
        print_error(str(error))
        return 1 if isinstance(error, (RunError, ExpertError)) else 2
    if isinstance(error, typer.Abort):  # Ctrl-C, or no answer, where one was asked for
        print_error("There was no answer, so nothing was done.")
        return 130 if isinstance(error.__context__, KeyboardInterrupt) else 1
    if hasattr(error, "format_message"):  # the parser's own, whatever package it has it from
        return _say_usage(error)
    if _is_out_of_memory(error):
        print_error("There is not enough memory for this; ask for fewer --tokens, or a --subspace.")
        return 1
    if isinstance(error, OSError) and error.filename is None:
        return _say_unprinted(error)
    if isinstance(error, OSError):
        print_error(f"{error.filename}: {error.strerror}.")
        return 1
    print_error(
        f"{type(error).__name__}: {error}. This was not foreseen and is a mistake of ours; "
        "--debug shows where it comes from."
    )
    return 1


def _is_out_of_memory(error: Exception) -> bool:
    """Whether memory ran out, in whichever words: Python's, the system's, torch's or C++'s."""
    said = ("can't allocate memory", "bad_alloc", "failed to map segment")
    system = isinstance(error, OSError) and error.errno == errno.ENOMEM
    return system or isinstance(error, MemoryError) or any(words in str(error) for words in said)


def _keep_printing() -> None:
    """Make both streams fit for anything: a closed one swallows, one that knows ASCII only says '?'."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _say_unprinted(error: OSError) -> int:
    """A reader that has gone, such as `head`, is no trouble; a full disk is, in a sentence."""
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123
    if error.errno == errno.EPIPE:
        return 0
    print_error(f"The output could not be written: {error.strerror or error}.")
    return 1


def _say_usage(error: Any) -> int:
    """An option or argument that the parser refuses."""
    context = getattr(error, "ctx", None)
    where = context.command_path if context is not None else "bbalign"
    sentence = error.format_message()
    if sentence:  # there is none where nothing was asked and the help is what was printed
        stop = "" if sentence.endswith((".", "?")) else "."
        print_error(f"{sentence}{stop} See `{where} --help`.")
    return int(getattr(error, "exit_code", 2))
