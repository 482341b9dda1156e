"""Answers as files of statistical programs: CSV for R and everything else, .sav with labels for SPSS."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import MissingDependencyError, SpecificationError
from ..files.atomic import plain_errors, write_text
from .fit_pictures import answers_frame
from .result import Result

if TYPE_CHECKING:
    import pandas as pd

_CODED = ("instrument", "population", "condition", "item")
_LABELS = {
    "instrument": "Questionnaire",
    "population": "Whom the answers are meant to be like",
    "condition": "People, or how the model was asked",
    "item": "Question",
    "option": "Option, counted from 1 in the order of the questionnaire",
    "probability": "Share of answers (of a model: simulated, no person gave them)",
    "mass": "Share of the next token that is any label",
    "orders": "Orders of the options that were averaged",
}


def write_answers(result: Result, path: Path | str, population: str | None = None) -> None:
    """Write one row per population, condition, item and option: ``.csv``, or ``.sav`` with labels.

    In a .sav what is named is a number with a value label, and every variable has a label of its own.

    Raises
    ------
    SpecificationError
        The name ends in neither.
    MissingDependencyError
        pyreadstat, which writes .sav, is not installed.
    """
    path = Path(path)
    frame = answers_frame(result, population).assign(orders=result.provenance.orders)
    if path.suffix.lower() == ".csv":
        write_text(path, frame.to_csv(index=False, lineterminator="\n"))
    elif path.suffix.lower() == ".sav":
        _write_sav(frame, path, result)
    else:
        raise SpecificationError(f"Answers are written as .csv or .sav; not as {path.name!r}.")


def _write_sav(frame: pd.DataFrame, path: Path, result: Result) -> None:
    try:
        import pyreadstat
    except ImportError:
        raise MissingDependencyError("pyreadstat", "Writing SPSS files") from None
    populations = result.provenance.populations
    values = {}
    for name in _CODED:
        known = list(dict.fromkeys(frame[name].fillna("")))
        frame[name] = (
            frame[name].fillna("").map({one: code for code, one in enumerate(known, start=1)})
        )
        values[name] = {
            code: str(populations.get(one, one) or "all")[:120]
            for code, one in enumerate(known, start=1)
        }
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with plain_errors(path):
        pyreadstat.write_sav(
            frame, str(draft), file_label="Simulated answers",
            column_labels=[_LABELS[str(name)] for name in frame], variable_value_labels=values,
        )  # fmt: skip
        draft.replace(path)
