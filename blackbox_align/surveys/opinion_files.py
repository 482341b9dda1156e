"""Opinion surveys by name and from files: our own open forms, and the public ones as they are found.

The form is told from the content, never from the name; any file may be gzipped. Nothing in a file
is ever run.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import DataFileError, UnknownNameError, nearest_names
from ..files.data import data_folder
from ..files.formats import is_spreadsheet
from ..files.tables import CsvTable, as_table, read_bytes, read_rows, read_text
from ..files.yaml import read_yaml
from .opinion_forms import find_form
from .opinion_yaml import read_answers, read_head, read_sources
from .opinions import OpinionSurvey, RawAnswers, Unreadable, assemble

_COLUMNS = ("item", "question", "option", "country", "share")


def opinion_names() -> list[str]:
    """The opinion surveys that ship with the package."""
    return sorted(path.parent.name for path in data_folder().glob("*/opinions.yaml"))


def load_opinions(
    name_or_file: Path | str, *, missing: str = "drop", labels: str = "letters"
) -> OpinionSurvey:
    """An opinion survey by its name (``"world-opinions"``), or from a file, gzipped or not.

    It reads our own forms (YAML, or a CSV file with the columns item, question, option, country and
    share; ``docs/assessment.md`` describes both), the public CSV of GlobalOpinionQA, the JSON and
    JSON lines in which parts of it were published, and shares of the World Values Survey by country
    and question.

    Parameters
    ----------
    missing, labels : see :func:`.opinions.assemble`

    Raises
    ------
    UnknownNameError
        There is no opinion survey of that name.
    DataFileError
        The file is no opinion survey, or a corrupted one; the message says what is wrong, and names
        the line where there is one.
    """
    text, path = str(name_or_file), Path(name_or_file)
    if not path.suffix and "/" not in text and not path.exists():
        if text not in opinion_names():
            raise UnknownNameError("opinion survey", text, opinion_names())
        path = data_folder() / text / "opinions.yaml"
    if path.suffix in (".yaml", ".yml"):
        return _from_yaml(path, missing, labels)
    content = read_content(path)
    rows: Iterator[RawAnswers | Unreadable]
    if isinstance(content, CsvTable) and {"option", "share"} & set(content.columns):
        title, name, whole, rows = path.name, path.name.partition(".")[0], True, _own(content)
    else:
        form = find_form(path, content)
        title, name, whole, rows = form.title, form.name, form.whole, form.rows(path, content)
    return assemble(rows, path, title=title, name=name, missing=missing, labels=labels, whole=whole)


def _from_yaml(path: Path, missing: str, labels: str) -> OpinionSurvey:
    document = read_yaml(path)
    name, title, source = read_head(document)
    rows = read_answers(document)
    opinions = assemble(rows, path, title=title, name=name, missing=missing, labels=labels)
    survey = replace(opinions.survey, source=source or str(path))
    return replace(opinions, survey=survey, sources=read_sources(document))


def read_content(path: Path) -> Any:
    """A :class:`CsvTable`, or the value of a JSON file; JSON lines are a list of values.

    Raises :class:`DataFileError` for what is neither.
    """
    if is_spreadsheet(read_bytes(path)) or (text := read_text(path)).lstrip()[:1] not in ("{", "["):
        expected = f"a CSV table with the columns {', '.join(_COLUMNS)}, or JSON"
        return as_table(path, read_rows(path, expected))
    first, *rest = text.strip().split("\n", 1)
    lines = [line for line in rest[0].split("\n") if line.strip()] if rest else []
    if first.lstrip().startswith("{") and first.rstrip().endswith("}") and lines:
        numbered = enumerate(text.split("\n"), start=1)
        return [_json(path, line, number) for number, line in numbered if line.strip()]
    value = _json(path, text, 1)
    lone = isinstance(value, dict) and ("selections" in value or "input_text" in value)
    return [value] if lone else value  # JSON lines of which there is one


def _json(path: Path, text: str, line: int) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) < len(pairs):  # json keeps the last one and tells nobody
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise DataFileError(path, None, f"the key {twice[:60]!r} stands twice in one object.")
        return table

    try:
        return json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        place = line + error.lineno - 1
        raise DataFileError(path, place, f"this is not valid JSON: {error.msg}.") from None
    except RecursionError:
        raise DataFileError(path, line, "it is nested too deeply to be a survey.") from None
    except DataFileError:
        raise
    except ValueError as error:  # a whole number with thousands of digits
        raise DataFileError(path, line, f"this is not valid JSON: {error}.") from None


# -- our own form as a table --------------------------------------------------------------------------------


def _own(table: CsvTable) -> Iterator[RawAnswers]:
    """The distributions of a file in our own form; a mistake in it is an error, not a dropped row.

    Only a country that is not known, or a distribution that does not sum to 1, is left to the report.
    """
    for column in _COLUMNS:
        if column not in table.columns:
            near = nearest_names(column, table.columns, 1)
            hint = f" Is it {near[0]!r}?" if near else ""
            raise DataFileError(table.path, 1, f"the column {column!r} is missing.{hint}")
    for column in table.columns:
        if column not in (*_COLUMNS, "ordered"):
            known = ", ".join(_COLUMNS)
            message = f"the column {column!r} is not known; the columns are {known} and ordered."
            raise DataFileError(table.path, 1, message)
    questions: dict[str, tuple[str, bool | None]] = {}
    options: dict[str, dict[str, None]] = {}
    shares: dict[tuple[str, str], dict[str, float]] = {}
    lines: dict[tuple[str, str], int] = {}
    for line, row in table.records():
        item, question, option, country = (
            row[c].strip() for c in ("item", "question", "option", "country")
        )
        for column in ("item", "question", "option", "country"):
            if not row[column].strip():
                raise DataFileError(table.path, line, f"the cell {column!r} is empty.")
        asked = (question, _yes_or_no(table.path, line, row.get("ordered", "")))
        if questions.setdefault(item, asked) != asked:
            raise DataFileError(
                table.path,
                line,
                f"item {item!r} has another question (or 'ordered') than before: "
                f"{questions[item][0]!r}, then {question!r}. Write the same one, or a new item.",
            )
        options.setdefault(item, {})[option] = None
        pair = (item, country)
        lines.setdefault(pair, line)
        if option in shares.setdefault(pair, {}):
            message = f"the share of {option!r} for {item!r} in {country} stands here twice."
            raise DataFileError(table.path, line, f"{message} Remove one of them.")
        shares[pair][option] = _share(table.path, line, row["share"])
    if not shares:
        raise DataFileError(table.path, None, "there is no row of shares in it.")
    percent = any(share > 1 for row in shares.values() for share in row.values())
    for (item, country), given in shares.items():
        question, ordered = questions[item]
        total = math.fsum(given.values())
        whole = 100.0 if percent else 1.0
        if abs(total - whole) > 0.02 * whole:
            raise DataFileError(
                table.path,
                lines[item, country],
                f"the shares of {item!r} in {country} sum to {total:g}, not to {whole:g}; an option "
                "without a row counts as 0, and those who gave no opinion need a row too, such as "
                "'No answer'.",
            )
        names = tuple(options[item])
        values = tuple(given.get(name, 0.0) / total for name in names)
        place = f"line {lines[item, country]}"
        yield RawAnswers(place, question, names, country, values, item, ordered)


def _share(path: Path, line: int, cell: str) -> float:
    bare = cell.strip().removesuffix("%").strip()
    try:
        value = float(bare)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 100:  # NaN as well
        raise DataFileError(
            path, line, f"the share is {cell.strip()!r}; write a number from 0 to 1, or percents."
        )
    return value


def _yes_or_no(path: Path, line: int, cell: str) -> bool | None:
    answer = {"": None, "yes": True, "no": False}
    if cell.strip().casefold() not in answer:
        raise DataFileError(
            path, line, f"'ordered' must be yes, no or empty; not {cell.strip()!r}."
        )
    return answer[cell.strip().casefold()]
