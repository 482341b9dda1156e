"""Reading files that a user brings: text and tables, with a sentence where that fails."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path

from ..errors import DataFileError
from .formats import is_parquet, is_spreadsheet, parquet_rows, refuse_foreign, sheet_rows
from .frame import Frame, Row, frame

_LARGEST = 1 << 30  # bytes: a file that grows beyond this when it is unpacked is no survey
_LONGEST_CELL = 1 << 24
_SEPARATORS = (",", ";", "\t", "|")
_LAID_OUT = re.compile(r"\S {2,}\S.*\S {2,}\S")
_EUROSTAT = re.compile(r"(\w+,)+\w+\\TIME_PERIOD\b")


def read_bytes(path: Path) -> bytes:
    """The content of a file, unpacked where it is gzipped; :class:`DataFileError` without one."""
    try:
        pipe = path.is_fifo()  # a file is looked at several times before it is read
        content = b"" if pipe else path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            with gzip.open(io.BytesIO(content)) as file:
                content = file.read(_LARGEST + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        message = f"the gzip archive is damaged ({error}); fetch it again."
        raise DataFileError(path, None, message) from None
    except FileNotFoundError:
        raise DataFileError(path, None, "there is no such file.") from None
    except IsADirectoryError:
        raise DataFileError(path, None, "this is a folder; name the file in it.") from None
    except OSError as error:
        raise DataFileError(path, None, f"it cannot be read: {error.strerror}.") from None
    except ValueError:  # a nought in the name
        raise DataFileError(path, None, "this is no name that a file can have.") from None
    if pipe:
        message = "this is a pipe, which can be read but once; write it to a file and name that."
        raise DataFileError(path, None, message)
    if len(content) > _LARGEST:
        raise DataFileError(path, None, "it holds more than 1 GiB; give a part of it.")
    return content


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, or in UTF-16 that says so, gzipped or not.

    :class:`DataFileError` where there is none.
    """
    content = read_bytes(path)
    refuse_foreign(path, content)
    if content[1:8:2] == b"\0\0\0\0":  # Windows writes UTF-16 that does not say so, too
        content = b"\xff\xfe" + content
    elif content[:8:2] == b"\0\0\0\0":
        content = b"\xfe\xff" + content
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        # Lines end in a line feed from here on, whatever system the file is from.
        return io.TextIOWrapper(io.BytesIO(content), encoding=encoding).read()
    except UnicodeError as error:
        start = error.start if isinstance(error, UnicodeDecodeError) else 0
        line = content.count(b"\n", 0, start) + 1
        reason = error.reason if isinstance(error, UnicodeDecodeError) else error
        message = (
            f"this is not UTF-8 text ({reason}); save the file as UTF-8 (in Excel as 'CSV UTF-8'; a file of "
            "Windows in Western Europe by `iconv -f WINDOWS-1252 -t UTF-8 FILE`, in China GB18030, in Arab "
            "countries WINDOWS-1256)."
        )
        raise DataFileError(path, line, message) from None


def read_rows(path: Path, expected: str) -> list[Row]:
    """The rows of a table that are not empty: of CSV, gzipped or not, Excel or parquet.

    ``expected`` says what should be there, for a text that is no table at all.
    """
    content = read_bytes(path)
    if is_spreadsheet(content):
        return sheet_rows(path, content)[0]
    if is_parquet(content):
        return parquet_rows(path, content)
    return split_table(path, read_text(path), expected)


def read_frame(path: Path, expected: str) -> Frame:
    """The table of a file without the titles above it and the notes below it: see :func:`.frame.frame`."""
    content = read_bytes(path)
    if not is_spreadsheet(content):
        return frame(read_rows(path, expected))
    rows, others = sheet_rows(path, content)
    return replace(frame(rows), beside=others)


def is_binary_table(content: bytes) -> bool:
    """Whether :func:`read_rows` reads the bytes as a table though they are no text."""
    return is_parquet(content) or is_spreadsheet(content)


def split_table(path: Path, text: str, expected: str) -> list[Row]:
    """The rows of a CSV text that are not empty; comma, semicolon or tab separates the cells.

    Where it is not the comma, numbers may have a decimal comma (see :func:`points_for_commas`).
    """
    separator, is_table = _separated(text)
    if not is_table:
        raise DataFileError(
            path,
            1,
            f"expected {expected}. This is text that no comma, semicolon or tab cuts into columns: a "
            f"table laid out by "
            "blanks has to be saved as CSV, a code book as a table with the columns variable, question, "
            "code and label; questions are written down in YAML (docs/data.md).",
        )
    text = _without_sep_line(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows, line = [], 1
    limit = csv.field_size_limit(_LONGEST_CELL)
    try:
        for row in reader:
            rule = separator == "|" and all(re.fullmatch(r":?-*:?", cell.strip()) for cell in row)
            if any(cell.strip() for cell in row) and not rule:
                rows.append((line, row))
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataFileError(path, line, _csv_fault(text, line, separator, error)) from None
    finally:
        csv.field_size_limit(limit)
    if rows and all(len(row) == 1 and separator in row[0] for _, row in rows):  # quoted as a whole
        rows = [(line, next(csv.reader(row, delimiter=separator))) for line, row in rows]
    rows = eurostat_columns(rows) if separator == "\t" else rows
    return rows if separator == "," else points_for_commas(rows)


def separator_of(text: str) -> str:
    """What separates the cells of a CSV text: see :func:`_separated`."""
    return _separated(text)[0]


def _separated(text: str) -> tuple[str, bool]:
    """Comma, semicolon, tab or bar, by which most lines get one width, and whether that makes a table.

    Where two of them do, it is the one that is commonest in the first line.
    """
    lines = [line for line in _without_sep_line(text).splitlines() if line.strip()][:60]
    first = lines[0] if lines else ""
    prose = sum(not any(s in line for s in _SEPARATORS) for line in lines)
    by_blanks = sum(_LAID_OUT.search(line) is not None for line in lines)
    if _EUROSTAT.match(first):
        return "\t", True

    def lines_of_one_width(separator: str) -> int:
        try:
            widths = Counter(map(len, csv.reader(lines, delimiter=separator)))
        except csv.Error:
            return 0
        return max((count for width, count in widths.items() if width > 1), default=0)

    fits = {separator: lines_of_one_width(separator) for separator in _SEPARATORS}
    best = max(_SEPARATORS, key=lambda separator: (fits[separator], first.count(separator)))
    most = 2 * fits[best] > len(lines)
    return best, most or (best in first and 2 * max(prose, by_blanks) <= len(lines))


def _without_sep_line(text: str) -> str:
    """The text without the line ``sep=;`` that Excel writes for itself, the other lines keeping their
    numbers.
    """
    return re.sub(r"\A\s*sep=.[ \t]*\n", "\n", text)


def _csv_fault(text: str, line: int, separator: str, error: csv.Error) -> str:
    """What is wrong with a line of a CSV text, and how it is mended."""
    if "expected after" in str(error):
        here = "".join(text.split("\n")[line - 1 : line])
        if re.search(rf'"[ \t]+({re.escape(separator)}|$)', here):
            return (
                "this is not a CSV table here: a blank stands behind a closing quotation mark; "
                "remove it."
            )
        return (
            "this is not a CSV table here: text stands behind a closing quotation mark; is one not "
            "closed? A quotation mark inside a cell is written twice."
        )
    return f"this is not a CSV table: {error}; is a quotation mark not closed?"


@dataclass(frozen=True)
class CsvTable:
    """A table: its column names in lower case, and the rows with the lines they begin on.

    ``heads`` are the names as they are written, ``above`` the lines above the heads, ``notes`` sentences on
    what was not read as a row.
    """

    path: Path
    columns: list[str]
    rows: list[Row]
    heads: list[str]
    above: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def require(self, *columns: str) -> None:
        """Raise :class:`DataFileError` where one of these columns is missing."""
        for column in columns:
            if column not in self.columns:
                seen = ", ".join(self.columns)
                message = f"there is no column {column!r}; found {seen}."
                raise DataFileError(self.path, 1, message)

    def records(self) -> Iterator[tuple[int, dict[str, str]]]:
        for line, row in self.rows:
            yield line, dict(zip(self.columns, row, strict=True))


def as_table(path: Path, rows: list[Row] | Frame) -> CsvTable:
    """A table of which the first row names the columns; :class:`DataFileError` where it is torn."""
    framed = rows if isinstance(rows, Frame) else Frame(rows)
    (top, header), *body = framed.rows
    columns: list[str] = []
    for cell in map(str.strip, header):  # MEASURE and Measure are two: a code and its label
        plainly, alike = cell.casefold(), {head.strip() for head in header[: len(columns)]}
        columns.append(cell if plainly in columns and cell not in alike else plainly)
    for column in columns:
        if columns.count(column) > 1 and not column:
            places = ", ".join(str(n) for n, cell in enumerate(columns, start=1) if not cell)
            raise DataFileError(
                path, top, f"the columns {places} have no names here; write one above each."
            )
        if columns.count(column) > 1:
            raise DataFileError(path, top, f"the column {column!r} stands here twice; remove one.")
    for number, row in body:
        if len(row) != len(columns):
            raise DataFileError(
                path,
                number,
                f"{len(row)} cells where the first line has {len(columns)}; quote a cell that holds "
                "a separator.",
            )
    return CsvTable(path, columns, body, header, framed.above, tuple(framed.notes()))


def eurostat_columns(rows: list[Row]) -> list[Row]:
    """The rows of Eurostat's TSV, whose first cells hold several columns (``unit,geo\\TIME_PERIOD``), with
    each in its own, and the figures without their flags (``7.6 b``); other rows as they are.
    """
    if not rows or not _EUROSTAT.match(rows[0][1][0]):
        return rows
    (line, (first, *times)), *body = rows
    heads = [*first.strip().partition("\\")[0].split(","), *map(str.strip, times)]
    figures = re.compile(r"(:|[-+]?[\d.]+)(\s+[a-z]+)?\s*")
    told = [
        (n, [*key.split(","), *(f[1] if (f := figures.fullmatch(c)) else c for c in cells)])
        for n, (key, *cells) in body
    ]
    return [(line, heads), *told]


def points_for_commas(rows: list[Row]) -> list[Row]:
    """The rows with 72,5 as 72.5, where the table writes all of its numbers so.

    Where some numbers have a point as well, nothing is changed, for 1.234,5 and 1.5 cannot both be read, but
    where all of these are thousands (1.200 people beside 60,5 %); nor where all commas may part thousands.
    A column of codes of which several may be given (1 and 3 as 1,3) is left as it is.
    """
    by_column = zip_longest(*(map(str.strip, row) for _, row in rows), fillvalue="")
    several = {n for n, column in enumerate(by_column) if _lists_codes(column)}
    cells = [c.strip() for _, row in rows for n, c in enumerate(row) if n not in several]
    pointed = {c for c in cells if re.fullmatch(r"[-+]?\d*\.\d+ ?%?", c)}
    if not all(re.fullmatch(r"[1-9]\d{0,2}\.\d{3}", cell) for cell in pointed):
        return rows
    comma = re.compile(r"[-+−–]?\d+,\d+ ?%?")
    both = re.compile(r"[-+]?\d{1,3}(\.\d{3})+,\d+ ?%?")  # 1.234,5 can be read in one way only
    written = [cell for cell in cells if comma.fullmatch(cell)]
    if not any(map(both.fullmatch, cells)) and all(
        re.fullmatch(r"[-+]?[1-9]\d{0,2},\d{3}", cell) for cell in written
    ):
        return rows

    def with_point(cell: str) -> str:
        if comma.fullmatch(cell.strip()):
            return cell.replace(",", ".")
        if both.fullmatch(cell.strip()):
            return cell.replace(".", "").replace(",", ".")
        return cell.replace(".", "") if cell.strip() in pointed else cell

    return [
        (line, [cell if n in several else with_point(cell) for n, cell in enumerate(row)])
        for line, row in rows
    ]


def _lists_codes(cells: Sequence[str]) -> bool:
    """Whether cells hold one code or several, each of which stands alone somewhere: 1, 3 and 1,3.

    Several codes are in ascending order. A fraction is none of theirs, for what stands behind its comma
    would have to be a number of the column that is larger than what stands before it.
    """
    lists = {cell for cell in cells if re.fullmatch(r"[1-9]\d?(,[1-9]\d?)+", cell)}
    commas = {cell for cell in cells if re.fullmatch(r"[-+]?\d+(,\d+)+ ?%?", cell)}
    codes = [[int(code) for code in cell.split(",")] for cell in lists]
    alone = {int(cell) for cell in cells if re.fullmatch(r"[1-9]\d?", cell)}
    return (
        bool(lists)
        and lists == commas
        and all(one == sorted(set(one)) and alone.issuperset(one) for one in codes)
    )
