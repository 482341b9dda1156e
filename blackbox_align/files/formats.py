"""Files that are not plain text: Excel sheets, which are read, and others, which are told by name.

What a file is, is seen in its first bytes and never in its name.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from ..errors import DataFileError, MissingDependencyError

_TABULATE = (
    "`bbalign surveys tabulate FILE --country COLUMN` makes the shares per country from the rows of "
    "respondents in it."
)
_FOREIGN = {
    b"$FL2": f"this is an SPSS file. {_TABULATE}",
    b"$FL3": f"this is an SPSS file (.zsav). {_TABULATE}",
    b"<stata_dta>": f"this is a Stata file. {_TABULATE}",
    b"\xd0\xcf\x11\xe0": "this is an old Excel file (.xls); open it and save it as .xlsx or as CSV.",
    b"%PDF": "this is a PDF document; give the table of figures as a CSV or Excel file.",
    b"RDX": "this is a file of R; write a CSV file with write.csv(DATA, 'data.csv').",
    b"version https://git-lfs": "this is a pointer of Git LFS and not the file itself; fetch the file "
    "with `git lfs pull`, or download it from its page.",
    b"SQLite format 3": "this is a database (SQLite); export the table as a CSV file.",
    b"ARROW1": "this is an Arrow file; write a CSV file with to_csv.",
    b"\x89HDF": "this is an HDF5 file; write a CSV file with to_csv.",
    b"7z\xbc\xaf": "this is a 7z archive; unpack it and name the file in it.",
    b"BZh": "this is a bzip2 archive; unpack it and name the file in it.",
    b"\xfd7zXZ": "this is an xz archive; unpack it and name the file in it.",
}


def is_spreadsheet(content: bytes) -> bool:
    """Whether the bytes are an Excel workbook of the present format (.xlsx, .xlsm)."""
    return "xl/workbook.xml" in _members(content)


def is_parquet(content: bytes) -> bool:
    """Whether the bytes are a parquet file."""
    return content.startswith(b"PAR1")


def refuse_foreign(path: Path, content: bytes) -> None:
    """Raise :class:`DataFileError` for bytes of a known format that is no text, and say the way."""
    for opening, sentence in _FOREIGN.items():
        if content.startswith(opening):
            raise DataFileError(path, None, sentence)
    if content.startswith(b"PK\x03\x04"):
        members = _members(content)
        if "xl/workbook.xml" in members:
            raise DataFileError(path, None, "this is an Excel workbook; save the sheet as CSV.")
        if "content.xml" in members:
            raise DataFileError(path, None, "this is an OpenDocument file; save the sheet as CSV.")
        names = ", ".join(members[:4]) or "nothing that can be read"
        raise DataFileError(
            path, None, f"this is a zip archive; unpack it and name a file of it ({names})."
        )
    head = content[:4096].lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    if head.startswith((b"<!doctype html", b"<html")):
        raise DataFileError(
            path,
            None,
            "this is a web page and not the file; download the file itself (its raw form).",
        )
    if b"limesurvey" in head and head.startswith(b"<"):
        raise DataFileError(
            path,
            None,
            "this is a LimeSurvey structure: questions without anybody's answers. Export the "
            f"responses for SPSS or as CSV; {_TABULATE}",
        )
    if head.startswith(b"<?xml"):
        raise DataFileError(path, None, "this is XML, which is not read; export the data as CSV.")


def _members(content: bytes) -> list[str]:
    if not content.startswith(b"PK\x03\x04"):
        return []
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return []


def sheet_rows(path: Path, content: bytes) -> list[tuple[int, list[str]]]:
    """The rows of the first sheet of a workbook that are not empty, with their numbers in it.

    Cells become text as a CSV file would hold them; a formula gives its last value. Columns without
    any cell at the right are left away. A workbook with several sheets that hold something is
    refused, because only one of them can be meant.
    """
    sheets = {name: rows for name, rows in workbook(path, content).items() if rows}
    names = [name.casefold() for name in sheets]
    if {"survey", "choices"} <= set(names):
        raise DataFileError(
            path,
            None,
            "this is an XLSForm: questions without anybody's answers. Export the submissions as CSV "
            f"or for SPSS; {_TABULATE}",
        )
    if len(sheets) > 1:
        listed = ", ".join(repr(name) for name in sheets)
        raise DataFileError(
            path, None, f"the workbook has several sheets ({listed}); save the one you mean alone."
        )
    if not sheets:
        raise DataFileError(path, None, "there is nothing in the workbook.")
    (rows,) = sheets.values()
    width = max(n + 1 for _, row in rows for n, cell in enumerate(row) if cell.strip())
    return [(line, (row + [""] * width)[:width]) for line, row in rows]


def workbook(path: Path, content: bytes) -> dict[str, list[tuple[int, list[str]]]]:
    """The rows of each sheet of a workbook that are not empty, with their numbers in it."""
    try:
        from openpyxl import load_workbook
    except ImportError:
        raise MissingDependencyError("openpyxl", "Reading Excel files") from None
    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        return {
            sheet.title: _filled(sheet.iter_rows(values_only=True)) for sheet in book.worksheets
        }
    except Exception as error:  # whatever a damaged archive or its XML makes the library raise
        raise DataFileError(
            path, None, f"the Excel workbook is damaged ({type(error).__name__}); save it again."
        ) from error


def parquet_rows(path: Path, content: bytes) -> list[tuple[int, list[str]]]:
    """The rows of a parquet file as text, the names of the columns first."""
    try:
        from pyarrow import BufferReader, parquet
    except ImportError:
        raise MissingDependencyError("pyarrow", "Reading parquet files") from None
    try:
        columns = parquet.read_table(BufferReader(content)).to_pydict()
    except Exception as error:  # whatever a damaged file makes the library raise
        message = f"the parquet file is damaged ({type(error).__name__}); fetch it again."
        raise DataFileError(path, None, message) from error
    rows = [list(columns), *zip(*columns.values(), strict=True)]
    return _filled(rows)


def _filled(rows: Iterable[Sequence[Any]]) -> list[tuple[int, list[str]]]:
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
