"""Files that are not plain text: spreadsheets and parquet, which are read, and others, which are told by
name.

What a file is, is seen in its first bytes and never in its name.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

from ..errors import DataFileError, MissingDependencyError
from .workbooks import filled, workbook

_TABULATE = (
    "`bbalign surveys tabulate FILE --country COLUMN` makes the shares per country from the rows of "
    "respondents in it."
)
_WRITE_CSV = "write a CSV file with write.csv(DATA, 'data.csv', row.names = FALSE)."
_OLD_OFFICE = b"\xd0\xcf\x11\xe0"
_FOREIGN = {
    b"$FL2": f"this is an SPSS file. {_TABULATE}",
    b"$FL3": f"this is an SPSS file (.zsav). {_TABULATE}",
    b"<stata_dta>": f"this is a Stata file. {_TABULATE}",
    b"HEADER RECORD*******LIB": f"this is a SAS transport file. {_TABULATE}",
    b"\0" * 12 + b"\xc2\xea\x81\x60": f"this is a SAS file. {_TABULATE}",
    _OLD_OFFICE: "this is a document of an old Office program (.doc, .ppt); give the table as "
    ".xlsx or CSV.",
    b"%PDF": "this is a PDF document; give the table in it as a CSV or Excel file. Where it is a "
    "questionnaire, write its questions down in YAML (docs/data.md).",
    b"{\\rtf": "this is a text document (RTF); give the table in it as a CSV or Excel file.",
    b"RDX": f"this is a file of R (.RData); {_WRITE_CSV}",
    b"RDA": f"this is a file of R (.RData); {_WRITE_CSV}",
    b"X\n\0\0\0": f"this is a file of R (.rds); {_WRITE_CSV}",
    b"version https://git-lfs": "this is a pointer of Git LFS and not the file itself; fetch the file "
    "with `git lfs pull`, or download it from its page.",
    b"SQLite format 3": "this is a database (SQLite); export the table as a CSV file.",
    b"ARROW1": "this is an Arrow file; write a CSV file with to_csv.",
    b"\x89HDF": "this is an HDF5 file; write a CSV file with to_csv.",
    b"\x89PNG": "this is a picture; give the table in it as a CSV or Excel file.",
    b"\xff\xd8\xff": "this is a picture; give the table in it as a CSV or Excel file.",
    b"7z\xbc\xaf": "this is a 7z archive; unpack it and name the file in it.",
    b"BZh": "this is a bzip2 archive; unpack it and name the file in it.",
    b"\xfd7zXZ": "this is an xz archive; unpack it and name the file in it.",
}
_PORTABLE = b"SPSS PORT FILE"
_OLD_STATA = range(102, 116)  # the first byte of .dta before Stata 13


def is_spreadsheet(content: bytes) -> bool:
    """Whether the bytes are a workbook: of Excel (.xlsx, .xlsm, .xlsb, .xls) or OpenDocument (.ods)."""
    if content.startswith(_OLD_OFFICE):
        return "Workbook".encode("utf-16-le") in content or "Book".encode("utf-16-le") in content
    members = _members(content)
    return bool({"xl/workbook.xml", "xl/workbook.bin"} & set(members)) or (
        "content.xml" in members and b"opendocument.spreadsheet" in content[:200]
    )


def reader_of_statistics(content: bytes) -> str:
    """The function of pyreadstat that reads the bytes, or nothing where they are of no statistical
    package.
    """
    for opening, reader in (
        (b"$FL", "read_sav"),
        (b"<stata_dta>", "read_dta"),
        (b"HEADER RECORD*******LIB", "read_xport"),
        (b"\0" * 12 + b"\xc2\xea\x81\x60", "read_sas7bdat"),
    ):
        if content.startswith(opening):
            return reader
    if _PORTABLE in content[:400].replace(b"\n", b"").replace(b"\r", b""):
        return "read_por"
    old = content[:1] and content[0] in _OLD_STATA and content[1:3] in (b"\x01\x01", b"\x02\x01")
    return "read_dta" if old else ""


def is_parquet(content: bytes) -> bool:
    """Whether the bytes are a parquet file."""
    return content.startswith(b"PAR1")


def refuse_foreign(path: Path, content: bytes) -> None:
    """Raise :class:`DataFileError` for bytes of a known format that is no text, and say the way."""
    if content.startswith(_OLD_OFFICE) and "EncryptedPackage".encode("utf-16-le") in content:
        raise DataFileError(
            path, None, "this is locked with a password; open it and save it without one."
        )
    for opening, sentence in _FOREIGN.items():
        if content.startswith(opening):
            raise DataFileError(path, None, sentence)
    if reader_of_statistics(content):
        raise DataFileError(
            path, None, f"this is a file of SPSS (.por) or of an old Stata. {_TABULATE}"
        )
    if content.startswith(b"PK\x03\x04"):
        members = _members(content)
        if is_spreadsheet(content):
            raise DataFileError(path, None, "this is a workbook; save the sheet as CSV.")
        if "word/document.xml" in members or "content.xml" in members:
            raise DataFileError(
                path,
                None,
                "this is a text document (Word, OpenDocument); give the table in it as a CSV or Excel "
                "file. Where it "
                "is a questionnaire, write its questions down in YAML (docs/data.md).",
            )
        names = ", ".join(members[:4]) or "nothing that can be read"
        raise DataFileError(
            path, None, f"this is a zip archive; unpack it and name a file of it ({names})."
        )
    head = content[:4096].lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    if head.startswith((b"<!doctype html", b"<html", b"<table", b"<head", b"<div")):
        raise DataFileError(
            path,
            None,
            "this is a web page and not the file; download the file itself (its raw form). Where Excel "
            "opens it as a table, save that as .xlsx.",
        )
    if b"limesurvey" in head and head.startswith(b"<"):
        raise DataFileError(
            path,
            None,
            "this is a LimeSurvey structure: questions without anybody's answers. Export the "
            f"responses for SPSS or as CSV; {_TABULATE}",
        )
    if re.search(rb"(?m)^\s*(value labels|variable labels|label define|label values)\b", head):
        raise DataFileError(
            path,
            None,
            "this is a program of SPSS or Stata and no data; give the file of data (.sav, .dta) that it "
            "makes, which holds the questions and labels.",
        )
    if b"ddiinstance" in head or b"ddi:instance" in head:
        raise DataFileError(
            path,
            None,
            "this is DDI Lifecycle, which is not read; export the code book as DDI Codebook (2.5), or "
            "for SPSS.",
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


def sheet_rows(path: Path, content: bytes) -> tuple[list[tuple[int, list[str]]], tuple[str, ...]]:
    """The rows of the sheet of a workbook that is a table, with their numbers in it, and the other sheets'
    names.

    Cells become text as a CSV file would hold them; a formula gives its last value. Columns without any
    cell at the right are left away. A workbook with several tables is refused, because only one of them
    can be meant.
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
    tables = [name for name, rows in sheets.items() if len(sheets) == 1 or _is_table(rows)]
    if len(tables) != 1 and sheets:
        listed = ", ".join(repr(name) for name in sheets)
        raise DataFileError(
            path,
            None,
            f"the workbook has several sheets ({listed}); save the one you mean alone (in Excel: move or "
            f"copy it "
            "to a new workbook).",
        )
    if not sheets:
        raise DataFileError(path, None, "there is nothing in the workbook.")
    rows = sheets[tables[0]]
    width = max(n + 1 for _, row in rows for n, cell in enumerate(row) if cell.strip())
    others = tuple(name for name in sheets if name != tables[0])
    return [(line, (row + [""] * width)[:width]) for line, row in rows], others


def _is_table(rows: Sequence[tuple[int, list[str]]]) -> bool:
    """Whether most rows of a sheet fill several cells; a sheet of remarks does not."""
    several = sum(sum(bool(cell.strip()) for cell in row) > 1 for _, row in rows)
    return several > 1 and 2 * several > len(rows)


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
    return filled(rows)
