"""Respondents' rows: read from CSV, spreadsheets, parquet, SPSS, Stata or SAS.

The questions, the labels of the answers and the codes for missing values of statistical packages come
from their files themselves (read by pyreadstat).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import DataFileError, MissingDependencyError, SpecificationError, nearest_names
from ..files.formats import reader_of_statistics
from ..files.missing import is_mark
from ..files.tables import as_table, read_bytes, read_frame
from ..files.workbooks import cell_text
from .exports import without_heads
from .forms import Form


@dataclass(frozen=True)
class Respondents:
    """Rows of people as text by column, and what the file says of its columns.

    ``questions`` is the text of a column, ``labels`` what its codes mean, in their order, ``missing``
    the codes that the file itself declares as no answer. ``notes`` say what else stands in the file.
    """

    path: Path
    columns: Mapping[str, Sequence[str]]
    lines: Sequence[int]
    questions: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    missing: Mapping[str, frozenset[str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_respondents(path: Path) -> Respondents:
    """The rows of respondents of a file.

    Raises :class:`DataFileError` for a file that is none, and :class:`MissingDependencyError` where
    the package that reads it is not installed.
    """
    reader = reader_of_statistics(read_bytes(path))
    if reader:
        return _statistical(path, reader)
    table = as_table(path, read_frame(path, "a table with one row per respondent"))
    header, questions, rows, notes = without_heads(table.heads, table.rows)
    columns = {
        name: _whole([row[n].strip() for _, row in rows]) for n, name in enumerate(header) if name
    }
    lines = [line for line, _ in rows]
    return Respondents(path, columns, lines, questions, notes=(*table.notes, *notes))


def _whole(cells: list[str]) -> list[str]:
    """Codes as they are, where pandas wrote 1.0 and 99.0 because others of the column are missing."""
    told = [cell for cell in cells if not is_mark(cell)]
    if not told or not all(re.fullmatch(r"-?\d{1,9}\.0+", cell, re.ASCII) for cell in told):
        return cells
    return [cell if is_mark(cell) else cell.partition(".")[0] for cell in cells]


def find_column(people: Respondents, name: str) -> str:
    """The name as the file has it; :class:`SpecificationError` with the nearest where it has none."""
    for spelled in (name, name.partition(". ")[0]):  # LimeSurvey's "G01Q02. Do you ...?"
        if spelled in people.columns:
            return spelled
    alike = [column for column in people.columns if column.casefold() == name.strip().casefold()]
    if len(alike) == 1:
        return alike[0]
    near = nearest_names(name, people.columns)
    hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    raise SpecificationError(f"{people.path.name} has no column {name!r}.{hint}")


def only_where(people: Respondents, condition: str) -> Respondents:
    """The people for whom ``COLUMN=VALUE`` holds, the value being a code or its label.

    Raises :class:`SpecificationError` where it holds for nobody.
    """
    name, equals, value = condition.partition("=")
    if not equals:
        raise SpecificationError(f"{condition!r} is no condition; write COLUMN=VALUE.")
    column, value = find_column(people, name.strip()), value.strip()
    labels = people.labels.get(column, {})
    kept = [n for n, cell in enumerate(people.columns[column]) if value in (cell, labels.get(cell))]
    if not kept:
        values = ", ".join(list(dict.fromkeys(people.columns[column]))[:8])
        raise SpecificationError(
            f"Nobody has {value!r} in the column {column!r}; its values are {values}."
        )
    columns = {key: [cells[n] for n in kept] for key, cells in people.columns.items()}
    return replace(people, columns=columns, lines=[people.lines[n] for n in kept])


def with_form(people: Respondents, form: Form) -> Respondents:
    """The rows with the questions and labels that a form of the survey tool has for their columns.

    Cells may hold codes or labels. Raises :class:`DataFileError` where no column is one of its questions.
    """
    spelled = {re.sub(r"\[(\w+)\]", r"_\1", column): column for column in people.columns}
    asked = {spelled[item.id]: item for item in form.items if item.id in spelled}
    if not asked:
        present = ", ".join(list(people.columns)[:6])
        items = ", ".join(item.id for item in form.items[:6])
        raise DataFileError(
            people.path,
            None,
            f"none of its columns ({present}) is a question of {form.path.name} ({items}); export the "
            "responses under the codes of the questions.",
        )
    columns = dict(people.columns)
    for name, item in asked.items():
        codes = {label: code for code, label in item.options.items()}
        cells = people.columns[name]
        columns[name] = [cell if cell in item.options else codes.get(cell, cell) for cell in cells]
    return replace(
        people,
        columns=columns,
        questions={**people.questions, **{name: item.question for name, item in asked.items()}},
        labels={**people.labels, **{name: item.options for name, item in asked.items()}},
        missing={**people.missing, **{name: item.no_answers() for name, item in asked.items()}},
    )


def questions_of(path: Path) -> dict[str, str]:
    """The columns of a file of a statistical package, with what they are labelled."""
    _, meta = _read(path, reader_of_statistics(read_bytes(path)), metadataonly=True)
    return {name: text or "" for name, text in meta.column_names_to_labels.items()}


def _read(path: Path, reader: str, **options: bool) -> Any:
    try:
        import pyreadstat
    except ImportError:
        raise MissingDependencyError("pyreadstat", "Reading files of SPSS, Stata and SAS") from None
    try:
        return getattr(pyreadstat, reader)(str(path), **options)
    except Exception as error:  # whatever a damaged file makes the library raise
        message = f"the file is damaged ({type(error).__name__}: {error}); export it again."
        raise DataFileError(path, None, message) from error


def _statistical(path: Path, reader: str) -> Respondents:
    # Transport files and portable files know no declared missing values.
    frame, meta = _read(
        path, reader, **({} if reader in ("read_xport", "read_por") else {"user_missing": True})
    )
    labels = {
        column: {cell_text(code): " ".join(str(label).split()) for code, label in table.items()}
        for column, table in meta.variable_value_labels.items()
    }
    columns = {name: [cell_text(value) for value in frame[name].tolist()] for name in frame}
    missing = {
        column: frozenset(c for c in set(columns[column]) if _declared(c, ranges))
        for column, ranges in meta.missing_ranges.items()
    }
    for column, letters in (meta.missing_user_values or {}).items():  # Stata's .a to .z
        missing[column] = missing.get(column, frozenset()) | frozenset(map(str, letters))
    questions = {name: text for name, text in meta.column_names_to_labels.items() if text}
    lines = list(range(1, len(frame) + 1))
    return Respondents(path, columns, lines, questions, labels, missing)


def _declared(code: str, ranges: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a code lies in one of SPSS's declared ranges of missing values."""
    try:
        value = float(code)
    except ValueError:
        return any(code == str(r["lo"]) for r in ranges)
    return any(isinstance(r["lo"], (int, float)) and r["lo"] <= value <= r["hi"] for r in ranges)
