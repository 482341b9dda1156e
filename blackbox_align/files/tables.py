"""Reading files that a user brings: text and tables, with a sentence where that fails."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from pathlib import Path

from ..errors import DataFileError

_LARGEST = 1 << 30  # bytes: a file that grows beyond this when it is unpacked is no survey
_LONGEST_CELL = 1 << 24
_SEPARATORS = (",", ";", "\t")

Row = tuple[int, list[str]]
"""The cells of a table's row, with the line that it begins on."""


def read_text(path: Path) -> str:
    """The UTF-8 text of a file, gzipped or not; :class:`DataFileError` where there is none."""
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            with gzip.open(io.BytesIO(content)) as file:
                content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise DataFileError(path, None, "it holds more than 1 GiB; give a part of it.")
        # Lines end in a line feed from here on, whatever system the file is from.
        return io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig").read()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        message = f"the gzip archive is damaged ({error}); fetch it again."
        raise DataFileError(path, None, message) from None
    except FileNotFoundError:
        raise DataFileError(path, None, "there is no such file.") from None
    except IsADirectoryError:
        raise DataFileError(path, None, "this is a folder; name the file in it.") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        message = f"this is not UTF-8 text ({error.reason}); save the file as UTF-8."
        raise DataFileError(path, line, message) from None
    except OSError as error:
        raise DataFileError(path, None, f"it cannot be read: {error.strerror}.") from None


def split_table(path: Path, text: str, expected: str) -> list[Row]:
    """The rows of a CSV text that are not empty; comma, semicolon or tab separates the cells.

    ``expected`` says what should be there, for a text that is no table at all.
    """
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(_SEPARATORS, key=first.count)
    if separator not in first:
        raise DataFileError(path, 1, f"expected {expected}.")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows, line = [], 1
    limit = csv.field_size_limit(_LONGEST_CELL)
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append((line, row))
            line = reader.line_num + 1
    except csv.Error as error:
        message = f"this is not a CSV table: {error}; is a quotation mark not closed?"
        raise DataFileError(path, line, message) from None
    finally:
        csv.field_size_limit(limit)
    return rows
