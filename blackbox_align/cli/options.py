"""Options that several commands share: declared once, so that they mean the same everywhere."""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import SpecificationError, UnknownNameError


def panel(title: str) -> Callable[..., Any]:
    """What declares an option under a title of its own in the help."""
    return functools.partial(typer.Option, rich_help_panel=title)


model_option = panel("What is asked")

ModelName = Annotated[
    str, model_option(help="A model's name on the Hugging Face hub, or a folder.")
]
Revision = Annotated[str | None, model_option(help="Commit or branch of a hub model.")]
Device = Annotated[str, model_option(help="auto, cpu, cuda, cuda:N, or spread over all.")]
Dtype = Annotated[str, model_option(help="auto, float32, tf32 (a GPU's), bfloat16 or float16.")]
TrustRemoteCode = Annotated[
    bool, model_option("--trust-remote-code", help="Run Python code that the model brings.")
]
ChatTemplate = Annotated[
    str, model_option(help="auto (the model's own, where it has one), none, or a file in Jinja.")
]
System = Annotated[
    str,
    model_option(
        help="A text in front of every question: the system message, where there is a template."
    ),
]
ModelHere = Annotated[
    str | None, typer.Option(help="Where the model lies now. Default: as the cards name it.")
]
LibraryFolder = Annotated[
    Path, typer.Option("--library", help="The library: a folder of expert folders.")
]
MaxTokens = Annotated[int, typer.Option(help="Length of a text.", min=1)]
Missing = Annotated[
    str, typer.Option(help='drop or keep options such as "don\'t know" and refused.')
]
AsJson = Annotated[bool, typer.Option("--json", help="Print as JSON.")]


def check_finite(**values: float | None) -> None:
    """Refuse nan and inf, by the name that the option has on the command line."""
    for name, value in values.items():
        if value is not None and not math.isfinite(value):
            raise SpecificationError(f"{_spelled(name)} must be a finite number; not {value}.")


def check_most(most: int, **values: int | None) -> None:
    """Refuse what no machine could do, before any memory is asked for."""
    for name, value in values.items():
        if value is not None and value > most:
            raise SpecificationError(f"{_spelled(name)} is at most {most:,}; not {value:,}.")


def _spelled(name: str) -> str:
    return "--" + name.replace("_", "-")


def group(help: str, **settings: Any) -> typer.Typer:
    """A group of commands."""
    names = {"help_option_names": ["-h", "--help"]}
    return typer.Typer(help=help, context_settings=names, **settings)


def named_values(pairs: Iterable[str], expected: str) -> list[tuple[str, str]]:
    """``NAME=VALUE`` as pairs; :class:`SpecificationError` with what is ``expected`` for what is none."""
    found = []
    for pair in pairs:
        name, equals, value = (part.strip() for part in pair.partition("="))
        if not name or not equals:
            raise SpecificationError(f"{expected}; not {pair!r}.")
        found.append((name, value))
    return found


_RANGE = re.compile(r"(\d+)\.\.(\d+)")


def read_seeds(text: str) -> tuple[int, ...]:
    """The seeds of a range (``0..4``) or a list (``0,3,5``), each once; a thousand at most."""
    found = _RANGE.fullmatch(text.strip())
    seeds: Iterable[int] = ()
    if found:
        seeds = range(int(found[1]), int(found[2]) + 1)
    elif re.fullmatch(r"\s*\d+\s*(,\s*\d+\s*)*", text):
        seeds = dict.fromkeys(map(int, text.split(",")))
    chosen = tuple(islice(seeds, 1001))
    if not 1 <= len(chosen) <= 1000:
        raise SpecificationError(f"--seeds is a range such as 0..4, or 0,1,2; not {text!r}.")
    return chosen


def find_run(name: str, runs: Path = Path("runs")) -> Path:
    """The folder of a run: as it is named, or under ``runs``."""
    for folder in (Path(name), runs / name):
        if (folder / "run.json").is_file():
            return folder
    known = sorted(path.parent.name for path in runs.glob("*/run.json")) if runs.is_dir() else []
    hint = f"It is neither a run's folder nor a name in {runs}/; `bbalign runs` lists yours."
    raise UnknownNameError("run", name, known, hint)


def optimizer_options(optimizer: str, pairs: list[str]) -> dict[str, Any]:
    """The options as values of the kind that the optimizer's own defaults have."""
    from ..optimizers import describe

    defaults = describe(optimizer).options if pairs else {}
    options: dict[str, Any] = {}
    for name, value in named_values(pairs, "An optimizer's option is NAME=VALUE, such as F=0.5"):
        options[name] = _option_value(name, value)
        _check_kind(name, options[name], defaults.get(name))
    return options


def _check_kind(name: str, value: Any, default: Any) -> None:
    """Refuse a word for a number; what has no default may be anything, and the optimizer looks at it."""
    for kind, wanted in ((bool, "true or false"), (int | float, "a number"), (str, "a word")):
        if isinstance(default, kind):
            number = isinstance(value, int | float) and not isinstance(value, bool)
            fine = number if kind == int | float else isinstance(value, kind)
            if not fine:
                raise SpecificationError(
                    f"The option {name} is {wanted}, such as {default!r}; not {value!r}."
                )
            return


_WORDS = {"yes": True, "no": False, "True": True, "False": False, "None": None}


def _option_value(name: str, text: str) -> Any:
    """A number, true or false, nothing, or a word."""
    if text in _WORDS:
        return _WORDS[text]
    try:
        value = json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        value = text
    if isinstance(value, (dict, list)):
        raise SpecificationError(f"The option {name} is a number or a word; not {text!r}.")
    if not _is_finite(text):
        raise SpecificationError(f"The option {name} must be a finite number; not {text}.")
    return value


def _is_finite(text: str) -> bool:
    """Whether it is a finite number, or none at all."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return True
