"""Respondents' rows: read from CSV, Excel, SPSS, Stata or parquet, and made into shares per country.

The questions, the labels of the answers and the codes for missing values of SPSS and Stata files come
from these files themselves (read by pyreadstat).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import DataFileError, MissingDependencyError, SpecificationError, nearest_names
from ..files.formats import cell_text
from ..files.missing import is_mark, missing_codes
from ..files.tables import as_table, read_bytes, read_rows
from .forms import Form
from .non_response import non_responses
from .scales import is_ladder
from .signs import LETTERS

HEADER = ("item", "question", "option", "country", "share", "n", "ordered", "missing")
_STATISTICAL = {b"$FL2": "read_sav", b"$FL3": "read_sav", b"<stata_dta>": "read_dta"}


@dataclass(frozen=True)
class Respondents:
    """Rows of people as text by column, and what the file says of its columns.

    ``questions`` is the text of a column, ``labels`` what its codes mean, in their order, ``missing``
    the codes that the file itself declares as no answer.
    """

    path: Path
    columns: Mapping[str, Sequence[str]]
    lines: Sequence[int]
    questions: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    missing: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Tabulated:
    """Rows of our own form (see :data:`HEADER`), and sentences on what was and was not tabulated."""

    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


def read_respondents(path: Path) -> Respondents:
    """The rows of respondents of a file.

    Raises :class:`DataFileError` for a file that is none, and :class:`MissingDependencyError` where
    the package that reads it is not installed.
    """
    content = read_bytes(path)
    for opening, reader in _STATISTICAL.items():
        if content.startswith(opening):
            return _statistical(path, reader)
    rows = read_rows(path, "a table with one row per respondent")
    table = as_table(path, rows)
    header = [cell.strip() for cell in rows[0][1]]
    columns = {name: [row[n].strip() for _, row in table.rows] for n, name in enumerate(header)}
    return Respondents(path, columns, [line for line, _ in table.rows])


def with_form(people: Respondents, form: Form) -> Respondents:
    """The rows with the questions and labels that a form of the survey tool has for their columns.

    Cells may hold codes or labels. Raises :class:`DataFileError` where no column is one of its questions.
    """
    asked = {item.id: item for item in form.items if item.id in people.columns}
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


def _statistical(path: Path, reader: str) -> Respondents:
    try:
        import pyreadstat
    except ImportError:
        raise MissingDependencyError("pyreadstat", "Reading SPSS and Stata files") from None
    try:
        frame, meta = getattr(pyreadstat, reader)(str(path), user_missing=True)
    except Exception as error:  # whatever a damaged file makes the library raise
        message = f"the file is damaged ({type(error).__name__}: {error}); export it again."
        raise DataFileError(path, None, message) from error
    labels = {
        column: {cell_text(code): str(label) for code, label in table.items()}
        for column, table in meta.variable_value_labels.items()
    }
    columns = {name: [cell_text(value) for value in frame[name].tolist()] for name in frame}
    missing = {
        column: frozenset(c for c in set(columns[column]) if _declared(c, ranges))
        for column, ranges in meta.missing_ranges.items()
    }
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


def tabulate(
    people: Respondents, country: str, weight: str | None = None, items: Sequence[str] = ()
) -> Tabulated:
    """The shares of the answers to every item per country, with the number of people who were asked.

    Answers that are no answers are kept in the shares and marked ``missing``; empty cells count as
    not asked. Options stand in the order of their codes; words without codes by name.

    Parameters
    ----------
    country : the column that says where, or of which group, somebody is
    weight : the column of weights, 1 for all where it is None
    items : the columns to tabulate; all others with 2 to 26 different answers where empty

    Raises
    ------
    SpecificationError
        There is no such column.
    DataFileError
        A weight is no number, or nothing can be tabulated.
    """
    for name in (country, *([weight] if weight else []), *items):
        if name not in people.columns:
            near = nearest_names(name, people.columns)
            hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
            raise SpecificationError(f"{people.path.name} has no column {name!r}.{hint}")
    weights = _weights(people, weight)
    names = people.labels.get(country, {})
    places = [names.get(cell, cell) for cell in people.columns[country]]
    notes = []
    without = sum(is_mark(place) for place in places)
    if without:
        notes.append(f"Left out: {without:,} people without a {country}.")
    asked = list(items) or [c for c in people.columns if c not in (country, weight)]
    rows: list[tuple[str, ...]] = []
    passed: list[str] = []
    for item in asked:
        found = _item_rows(people, item, places, weights)
        if not found:
            passed.append(item)
        rows += found
    if passed:
        listed = ", ".join(passed[:12]) + (", ..." if len(passed) > 12 else "")
        notes.append(
            f"Not tabulated, because they have fewer than 2 or more than 26 answers: {listed}."
        )
    if not rows:
        raise DataFileError(people.path, None, "there is no column of answers in it to tabulate.")
    return Tabulated(tuple(rows), tuple(notes))


def _weights(people: Respondents, weight: str | None) -> list[float]:
    if weight is None:
        return [1.0] * len(people.lines)
    weights = []
    for line, cell in zip(people.lines, people.columns[weight], strict=True):
        try:
            value = 0.0 if is_mark(cell) else float(cell)
        except ValueError:
            value = math.nan
        if not 0 <= value < math.inf:
            raise DataFileError(
                people.path, line, f"the weight {cell!r} is no number of 0 or more in {weight}."
            )
        weights.append(value)
    return weights


def _item_rows(
    people: Respondents, item: str, places: Sequence[str], weights: Sequence[float]
) -> list[tuple[str, ...]]:
    """The rows of one item; none where it has too few or too many answers to be one."""
    cells = people.columns[item]
    options = _options(people, item)
    missing = _missing(people, item, options)
    if not 2 <= len(set(options) - missing) <= len(LETTERS) or len(options) > 99:
        return []
    names = {code: people.labels.get(item, {}).get(code, code) for code in options}
    if len(set(names.values())) < len(names):  # two codes with one label stay apart
        names = {code: f"{code} {name}" for code, name in names.items()}
    sums: dict[str, dict[str, float]] = {}
    people_of: dict[str, int] = {}
    for place, cell, share in zip(places, cells, weights, strict=True):
        if cell in names and not is_mark(place):
            by_option = sums.setdefault(place, dict.fromkeys(options, 0.0))
            by_option[cell] += share
            people_of[place] = people_of.get(place, 0) + 1
    kept = [names[code] for code in options if code not in missing]
    ordered = (
        "yes"
        if is_ladder([c for c in options if c not in missing]) and _plain(people, item)
        else ""
    )
    question = " ".join(people.questions.get(item, item).split())
    return [
        (
            item,
            question,
            names[code],
            place,
            f"{by_option[code] / total:.6f}",
            str(people_of[place]),
            ordered,
            "yes" if names[code] not in kept else "no",
        )
        for place, by_option in sums.items()
        if (total := math.fsum(by_option.values())) > 0
        for code in options
    ]


def _plain(people: Respondents, item: str) -> bool:
    """Whether the codes of an item are its answers, and not the names of some."""
    return item not in people.labels


def _options(people: Respondents, item: str) -> list[str]:
    """The answers to an item: those of the code book by code, and any others that occur."""
    occurring = dict.fromkeys(c for c in people.columns[item] if not is_mark(c))
    codes = {**dict.fromkeys(people.labels.get(item, {})), **occurring}
    try:
        return sorted(codes, key=float)
    except ValueError:
        return sorted(codes)


def _missing(people: Respondents, item: str, options: Sequence[str]) -> set[str]:
    """The codes of an item that are no answers: declared, by their label, or by convention."""
    labels = people.labels.get(item, {})
    declared = set(people.missing.get(item, ())) & set(options)
    by_label = {code for code in options if non_responses((labels.get(code, code),))}
    whole = {code: int(code) for code in options if code.lstrip("-").isdigit() and code.isascii()}
    by_code = missing_codes(list(whole.values())) if len(whole) == len(options) else set()
    unlabelled = {code for code, value in whole.items() if value in by_code and code not in labels}
    return declared | by_label | unlabelled
