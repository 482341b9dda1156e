"""Opinion surveys by name and from files: our own open forms, and the public ones as they are found.

The form is told from the content, never from the name; any file may be gzipped. Nothing in a file
is ever run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import DataFileError, UnknownNameError
from ..files.data import data_folder
from ..files.records import records
from ..files.strict_json import parse_json
from ..files.tables import CsvTable, as_table, is_binary_table, read_bytes, read_frame, read_text
from ..files.workbooks import cell_text
from ..files.yaml import is_yaml, read_yaml
from .assembly import Source, assemble
from .cross_tables import is_cross_table, read_cross_table
from .group_forms import is_of_groups, read_groups_of
from .looks_like import are_respondents
from .opinion_forms import find_form
from .opinion_tables import COLUMNS, is_own_form, read_own_form
from .opinion_yaml import is_opinion_yaml, read_answers, read_groups, read_head, read_sources
from .opinions import OpinionSurvey


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
    missing, labels : see :func:`.assembly.assemble` and :func:`.opinions.with_labels`

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
    if is_yaml(path):
        return _from_yaml(path, missing, labels)
    content = _own_rows(path, read_content(path))
    source = Source(path, path.name, path.name.partition(".")[0], missing, labels)
    if isinstance(content, CsvTable) and is_own_form(content):
        answers = read_own_form(content)
        notes = (*content.notes, *answers.notes)
        return assemble(answers.rows, replace(source, groups=answers.groups, notes=notes))
    people = isinstance(content, CsvTable) and are_respondents(content)
    if isinstance(content, CsvTable) and not people and is_cross_table(content):
        crossed, told = read_cross_table(content)
        return assemble(crossed, replace(source, notes=(*content.notes, *told)))
    entries = _entries(content)
    if entries and is_of_groups(list(entries[0][1])):
        rows, groups = read_groups_of(entries)
        return assemble(rows, replace(source, groups=groups))
    form = find_form(path, content)
    source = replace(source, title=form.title, name=form.name, whole=form.whole, split=True)
    return assemble(form.rows(path, records(content)), source)


def _from_yaml(path: Path, missing: str, labels: str) -> OpinionSurvey:
    document = read_yaml(path)
    if not is_opinion_yaml(document):
        message = "this is a questionnaire without people's answers; a fit takes one by --survey."
        raise DataFileError(path, 1, message)
    name, title, origin = read_head(document)
    source = Source(path, title, name, missing, labels, groups=read_groups(document))
    opinions = assemble(read_answers(document), source)
    survey = replace(opinions.survey, source=origin or str(path))
    return replace(opinions, survey=survey, sources=read_sources(document))


def _own_rows(path: Path, content: Any) -> Any:
    """Our own form as objects, a row each, as the table that it is; anything else as it is."""
    listed = records(content)
    if not isinstance(listed, list) or not all(isinstance(row, dict) for row in listed):
        return content
    heads = list(dict.fromkeys(str(name) for row in listed for name in row))
    cells = [[row.get(name) for name in heads] for row in listed]
    if any(isinstance(cell, (list, dict)) for row in cells for cell in row):
        return content
    rows = [(n, [cell_text(cell) for cell in row]) for n, row in enumerate(cells, start=1)]
    table = CsvTable(path, [head.strip().casefold() for head in heads], rows, heads)
    return table if is_own_form(table) else content


def _entries(content: Any) -> list[tuple[str, Mapping[str, Any]]]:
    """The rows of a table or the objects of a list, each with its place."""
    if isinstance(content, CsvTable):
        return [(f"line {line}", row) for line, row in content.records()]
    listed = records(content)
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        return []
    return [(f"entry {n}", entry) for n, entry in enumerate(listed, start=1)]


def read_content(path: Path) -> Any:
    """A :class:`CsvTable`, or the value of a JSON file; JSON lines are a list of values.

    Raises :class:`DataFileError` for what is neither.
    """
    if is_binary_table(read_bytes(path)) or (text := read_text(path)).lstrip()[:1] not in (
        "{",
        "[",
    ):
        expected = f"a CSV table with the columns {', '.join(COLUMNS)}, or JSON"
        return as_table(path, read_frame(path, expected))
    first, *rest = text.strip().split("\n", 1)
    lines = [line for line in rest[0].split("\n") if line.strip()] if rest else []
    if first.lstrip().startswith("{") and first.rstrip().endswith("}") and lines:
        numbered = enumerate(text.split("\n"), start=1)
        return [parse_json(path, line, number) for number, line in numbered if line.strip()]
    value = parse_json(path, text, 1)
    lone = isinstance(value, dict) and (
        isinstance(value.get("question"), str) or "input_text" in value
    )
    return [value] if lone else value  # JSON lines of which there is one
