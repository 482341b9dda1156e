"""Targets as a pandas table: read as the file that it would be."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..errors import SpecificationError
from ..populations import TargetSet, load_targets

if TYPE_CHECKING:
    import pandas as pd


FILE = "targets.csv"


class Frame(NamedTuple):
    """The targets of a table, its rows as a file, and a ``name`` that they decide."""

    name: str
    text: str
    targets: TargetSet


def target_file(frame: pd.DataFrame) -> Frame:
    """Read a table with a row per country; raises what a file with these rows would."""
    if not hasattr(frame, "to_csv"):
        raise SpecificationError(
            f"Targets are a name, a file or a pandas table; not {type(frame).__name__}."
        )
    columns = [str(column).strip().casefold() for column in frame.columns]
    named = "country" in columns
    text = frame.to_csv(index=not named, index_label=None if named else "country")
    name = f"table-{hashlib.sha256(text.encode()).hexdigest()[:6]}"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.csv"
        path.write_text(text, encoding="utf-8")
        return Frame(name, text, load_targets(path))


def kept_targets(run: Path) -> TargetSet | None:
    """The targets that a run keeps because they were a table, or None."""
    file = run / FILE
    return load_targets(file) if file.is_file() else None
