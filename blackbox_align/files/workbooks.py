"""The sheets of a workbook, read in a process of their own: damaged bytes make the library that reads them
print to standard error, or abort the whole process where they ask for more memory than there is.
"""

from __future__ import annotations

import importlib.util
import io
import json
import math
import subprocess
import sys
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from ..errors import DataFileError, MissingDependencyError


def workbook(path: Path, content: bytes) -> dict[str, list[tuple[int, list[str]]]]:
    """The rows of each sheet of a workbook that are not empty, with their numbers in it."""
    if importlib.util.find_spec("python_calamine") is None:
        raise MissingDependencyError("python-calamine", "Reading spreadsheets")
    done = subprocess.run(
        [sys.executable, "-m", __name__],
        input=content,
        capture_output=True,
        cwd=Path(__file__).parents[2],
    )
    if done.returncode:
        raise DataFileError(
            path,
            None,
            "the workbook is damaged, or a cell of it stands far from the others; save the table alone, "
            "as CSV.",
        )
    sheets = json.loads(done.stdout)
    return {name: [(number, row) for number, row in rows] for name, rows in sheets.items()}


def filled(rows: Iterable[Sequence[Any]]) -> list[tuple[int, list[str]]]:
    """The rows that hold something, as text, with their numbers."""
    texts = ((n, [cell_text(value) for value in row]) for n, row in enumerate(rows, start=1))
    return [(n, row) for n, row in texts if any(cell.strip() for cell in row)]


def cell_text(value: Any) -> str:
    """A value of a spreadsheet or a data frame as the text that a CSV file would hold."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    return str(value)


def _print_sheets() -> None:
    """The sheets of the workbook on standard input, as JSON on standard output."""
    from python_calamine import CalamineWorkbook

    book = CalamineWorkbook.from_filelike(io.BytesIO(sys.stdin.buffer.read()))
    sheets = {
        name: filled(book.get_sheet_by_name(name).to_python(skip_empty_area=False))
        for name in book.sheet_names
    }
    sys.stdout.write(json.dumps(sheets))


if __name__ == "__main__":
    _print_sheets()
