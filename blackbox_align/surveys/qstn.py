"""The two tables of QSTN: a questionnaire, and the personas that it is put to.

questionnaire_item_id, question_content, answer_texts    a question a row; the texts are a Python list,
                                                         ``answer_codes`` beside them may be one too
questionnaire_name, system_prompt                        a persona a row, told to the model in text
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import DataFileError
from ..files.tables import CsvTable, as_table, read_rows
from ..populations.population import Population
from .entries import MalformedError, literal, options_of
from .non_response import non_responses
from .signs import INSTRUCTIONS, LETTERS, lettered
from .survey import Item, Scale, Survey

_ITEM = ("questionnaire_item_id", "survey_item_id")
_PERSONA = {"questionnaire_name", "system_prompt"}


def is_qstn(columns: list[str]) -> bool:
    """Whether a table with these columns is one of the two."""
    return bool({*_ITEM} & set(columns)) or set(columns) >= _PERSONA


def is_questionnaire(path: Path) -> bool:
    """Whether a file is a table of QSTN; False for one that cannot be read."""
    try:
        return is_qstn(_table(path).columns)
    except DataFileError:
        return False


def read_qstn(path: Path) -> Survey:
    """The questionnaire as a survey without indices; what is no answer is left out and named.

    :class:`DataFileError` for a questionnaire without answers to choose from, and for personas.
    """
    table = _table(path)
    if set(table.columns) >= _PERSONA:
        raise DataFileError(
            path,
            1,
            "these are QSTN's personas, which are told to a model and ask nothing; give the table with "
            "questionnaire_item_id and question_content.",
        )
    named = next((column for column in _ITEM if column in table.columns), "")
    if not named or not {"question_content", "answer_texts"} <= set(table.columns):
        raise DataFileError(
            path,
            1,
            "this is a questionnaire of QSTN without answers to choose from; add a column answer_texts "
            "that holds a list such as \"['yes', 'no']\", and answer_codes if the codes are not 1, 2, ...",
        )
    items: list[Item] = []
    left_out: list[str] = []
    for line, row in table.records():
        scale, none = _scale(path, line, row)
        item = row[named].strip()
        if not item or not row["question_content"].strip() or any(i.id == item for i in items):
            message = "the item's id or question is blank, or the id stands there before."
            raise DataFileError(path, line, message)
        items.append(Item(item, row["question_content"].strip(), scale))
        left_out += [f"Left out of {item}, because it is no answer: {option}." for option in none]
    if not items:
        raise DataFileError(path, None, "there is no question in it.")
    name = path.name.partition(".")[0]
    return Survey(
        name,
        name,
        1,
        INSTRUCTIONS["letters"],
        tuple(items),
        source=str(path),
        left_out=tuple(left_out),
    )


def read_personas(path: Path) -> tuple[Population, ...]:
    """The personas as populations: the system prompt is the wording of their text baseline."""
    table = _table(path)
    if not set(table.columns) >= _PERSONA:
        raise DataFileError(path, 1, "expected the columns questionnaire_name and system_prompt.")
    found: dict[str, Population] = {}
    for line, row in table.records():
        name = row["questionnaire_name"].strip()
        if not name or name in found:
            raise DataFileError(path, line, f"the name {name!r} is blank or stands there before.")
        found[name] = Population(name, name, row["system_prompt"].strip())
    return tuple(found.values())


def _table(path: Path) -> CsvTable:
    return as_table(path, read_rows(path, "a table of QSTN"))


def _scale(path: Path, line: int, row: dict[str, str]) -> tuple[Scale, list[str]]:
    try:
        options = options_of(literal(row["answer_texts"], "answer_texts"))
        codes: Any = row.get("answer_codes", "").strip()
        listed = options_of(literal(codes, "answer_codes")) if codes else ()
        numbers = [float(code) for code in listed] or [n + 1.0 for n in range(len(options))]
    except (MalformedError, ValueError) as error:
        raise DataFileError(path, line, f"{error}; write lists such as ['yes', 'no'].") from None
    none = non_responses(options)
    kept = [n for n, option in enumerate(options) if option not in none]
    if len(numbers) != len(options) or not 2 <= len(kept) <= len(LETTERS):
        raise DataFileError(
            path,
            line,
            f"an item needs 2 to {len(LETTERS)} answers and as many codes; found {len(kept)} and "
            f"{len(numbers)}.",
        )
    scale = lettered([options[n] for n in kept], [numbers[n] for n in kept])
    return scale, [option for option in options if option in none]
