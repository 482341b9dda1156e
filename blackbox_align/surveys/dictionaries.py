"""Code books and lists of questions: what the codes of a variable mean, or what may be answered to a
question.

==============================================  =====================================================
Variable / Field Name, Choices, ... (REDCap)    a data dictionary; choices are ``1, Yes | 2, No``
variable, code (or value), label                a row per code
variable, values (or codes, choices, ...)       a row per question: ``1 = Yes; 2 = No`` in one cell
Value, (nothing), Label                         what SPSS prints as "Variable Values"
key, question, option_mapping (OpinionQA)       a row per question, the options as a Python table
question, option_a, option_b, ...               a row per question
[{question, choices}], [{..., option_lst}]      the same in JSON
==============================================  =====================================================
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import DataFileError
from ..files.missing import is_mark
from ..files.numbers import is_number
from ..files.tables import CsvTable, as_table, read_frame, separator_of
from ..populations.columns import country_columns, plain
from ..populations.countries import known_country
from .code_books import numbered_options
from .entries import MalformedError, literal, options_of
from .forms import FILLED_IN, OPEN, SEVERAL, Form, FormItem, plain_text

_REDCAP = {"variable / field name": "field_name", "field type": "field_type", "field label": "field_label",
           "choices, calculations, or slider labels": "select_choices_or_calculations"}  # fmt: skip
_VARIABLE = (
    "variable",
    "variable_name",
    "var",
    "item",
    "question_id",
    "qid",
    "q_id",
    "name",
    "field",
    "key",
    "id",
    "question_number",
    "question_no",
    "question_code",
    "item_number",
    "item_code",
    "variable_id",
    "variable_code",
    "varname",
    "var_name",
    "column",
    "number",
    "no",
    "nr",
)
_CODE = ("code", "value", "values", "value_code", "codes", "option_code")
_LABEL = ("category", "value_label", "code_label", "category_label", "option", "answer", "response",
          "labels", "label", "meaning")  # fmt: skip
_TEXT = ("question", "question_text", "question_wording", "text", "variable_label", "description", "label",
         "title")  # fmt: skip
# What a column is called whose cells list all answers to a question.
_CELL = ("values", "value_labels", "codes", "coding", "categories", "labels", "choices", "options", "scale",
         "response_options", "responses", "answer_options", "response_categories", "valid_values", "value",
         "code_list", "answers", "answer_categories", "code", "levels", "valores", "werte")  # fmt: skip
_BY_CODE = re.compile(
    r"[\"']?(?P<code>-?\d{1,7})[\"']?\s*(?:[=:.)]|[-–]\s)\s*(?P<label>\S.*)", re.DOTALL
)
_BY_LABEL = re.compile(r"(?P<label>.*\S)\s*[=:]\s*(?P<code>-?\d{1,7})")
_OPTION = re.compile(r"(option|answer|choice|response|opt|antwort|opcion)(_[a-z]|_?\d{1,2})")
_RIGHT = {"answer", "correct", "correct_answer", "right", "gold", "prompt_question", "country", "share",
          "count"}  # fmt: skip
_FIGURES = {"share", "percent", "count", "n", "freq", "frequency", "proportion", "percentage",
            "pct"}  # fmt: skip
_OPINION_QA = (("option_mapping",), ("references", "option_ordinal"))
_ANSWERED = frozenset(
    {
        "selections", "distribution", "gold_distribution", "options_dist", "label", "country", "attribute",
        "answer", "answer_idx", "correct", "gold", "human_answer", "group", "annotations", "responses",
    }
)  # fmt: skip
# The heads of what SPSS prints as "Variable Values", the second of them being merged with the first.
_PRINTED = re.compile(r"(value|wert|valor|valeur|valore)\|\|(label|beschriftung|etiqueta|étiquette)",
                      re.IGNORECASE)  # fmt: skip
_LISTS = ("option_lst", "choices", "options", "answers", "answer_options")


def read_dictionary(path: Path, text: str) -> Form | None:
    """The form in a table, or None where its heads are those of no code book and no list of questions."""
    lines = [line for line in text.splitlines()[:40] if line.strip()]
    printed = list(csv.reader(lines[:4], delimiter=separator_of(text))) if lines else []
    if any(_PRINTED.fullmatch("|".join(map(str.strip, row[:3]))) for row in printed):
        return _values_print(as_table(path, read_frame(path, "a table")), Form(path, path.name))
    heads = next(csv.reader(lines, delimiter=separator_of(text)), []) if lines else []
    kind = _kind([cell.strip() for cell in heads])
    if kind in (None, _codes) and {plain(cell) for cell in heads} & {*_CELL}:
        table = as_table(path, read_frame(path, "a table of questions"))
        kind = _in_cells if _listing(table) else kind
    if kind is None:
        return None
    table = as_table(path, read_frame(path, "a table of questions"))
    if kind is _codes and _has_figures(table):
        return None
    return kind(table, Form(path, path.name))


def _has_figures(table: CsvTable) -> bool:
    """Whether a column that is called a country holds numbers: shares of answers, and no translation."""
    columns = [
        name for name in table.columns if known_country(name) and plain(name) not in _VARIABLE
    ]
    cells = [
        [row[name] for _, row in table.records() if not is_mark(row[name])] for name in columns
    ]
    return any(column and all(map(is_number, column)) for column in cells)


def _kind(heads: Sequence[str]) -> Any:
    names = {_REDCAP.get(head.casefold(), plain(head)) for head in heads}
    if {"field_name", "field_type", "select_choices_or_calculations"} <= names:
        return _redcap
    if any({"question", *more} <= names for more in _OPINION_QA):
        return _opinion_qa
    if names & {*_RIGHT, "cntry", "iso3"}:
        return None
    options = [name for name in names if _OPTION.fullmatch(name)]
    if {"question", "text", "question_text"} & names and len(options) > 1:
        return _options_in_columns
    if names & {*_VARIABLE} and names & {*_CODE} and names & {*_LABEL} and not names & _FIGURES:
        return _codes
    return None


def _spelled(table: CsvTable, names: Sequence[str], but: str = "") -> str:
    """The first of some names of columns as a table spells it, ``but`` another; nothing without one."""
    by_name = {plain(name): name for name in table.columns if name != but}
    return next((by_name[name] for name in names if name in by_name), "")


def _redcap(table: CsvTable, form: Form) -> Form:
    columns = {_REDCAP.get(name, plain(name)): name for name in table.columns}
    for line, row in table.records():
        name = row[columns["field_name"]].strip()
        kind = row[columns["field_type"]].strip().casefold()
        label = plain_text(row.get(columns.get("field_label", ""), ""))
        listed = row[columns["select_choices_or_calculations"]]
        fixed = {"yesno": {"1": "Yes", "0": "No"}, "truefalse": {"1": "True", "0": "False"}}
        if kind in ("radio", "dropdown", *fixed):
            options = fixed.get(kind) or _choices(table.path, line, listed)
            if re.search(r"\[[a-z]\w*\]", label):
                form.leave_out(FILLED_IN, name)
            else:
                form.add(FormItem(name, label, options))
        elif kind == "checkbox":
            form.leave_out(SEVERAL, name)
        elif kind != "descriptive":
            form.leave_out(OPEN, name)
    return form


def _choices(path: Path, line: int, listed: str) -> dict[str, str]:
    """The choices of REDCap: ``1, Yes | 2, No``."""
    options: dict[str, str] = {}
    for choice in filter(str.strip, listed.split("|")):
        code, comma, label = (part.strip() for part in choice.partition(","))
        if not comma or code in options:
            raise DataFileError(
                path,
                line,
                f"the choice {choice.strip()!r} is not of the form 'code, label', or twice.",
            )
        options[code] = plain_text(label)
    return options


def _codes(table: CsvTable, form: Form) -> Form:
    variable, code, label = (_spelled(table, names) for names in (_VARIABLE, _CODE, _LABEL))
    text = _spelled(table, _TEXT, label) or variable
    found: dict[str, tuple[str, dict[str, str]]] = {}
    last = ""
    for line, row in table.records():
        last = row[variable].strip() or last  # a merged cell is filled in its first row only
        question, options = found.setdefault(last, (row[text].strip() or last, {}))
        if row[code].strip() in options:
            raise DataFileError(
                table.path, line, f"the code {row[code].strip()!r} of {last!r} stands here twice."
            )
        if row[code].strip():
            options[row[code].strip()] = plain_text(row[label])
    for name, (question, options) in found.items():
        form.add(FormItem(name, plain_text(question), options))
    return form


def _values_print(table: CsvTable, form: Form) -> Form:
    """What SPSS prints as "Variable Values": a variable in the first row of its codes and labels."""
    found: dict[str, dict[str, str]] = {}
    last = ""
    for line, (name, code, label, *_) in table.rows:
        last = name.strip() or last
        options = found.setdefault(last, {})
        if code.strip() in options:
            raise DataFileError(
                table.path, line, f"the code {code.strip()!r} of {last!r} stands here twice."
            )
        options[code.strip()] = plain_text(label)
    for name, options in found.items():
        form.add(FormItem(name, name, options))
    form.notes.append(
        "These are the values of variables as SPSS prints them, without the questions: each is asked by "
        "its name. Give the .sav file itself, or a table with variable, question, code and label."
    )
    return form


def _listing(table: CsvTable) -> str:
    """The column in which most filled cells list the answers to a question; nothing where none does."""
    if {plain(name) for name in table.columns} & _RIGHT or country_columns(table.heads)[1:]:
        return ""
    for name in table.columns:
        cells = [row[name] for _, row in table.records() if row[name].strip()]
        if plain(name) in _CELL and 2 * sum(len(_listed(cell)) > 1 for cell in cells) > len(cells):
            return name
    return ""


def _in_cells(table: CsvTable, form: Form) -> Form:
    column = _listing(table)
    text = _spelled(table, _TEXT, column)
    variable = _names(table, (text, column), form)
    for number, (_, row) in enumerate(table.records(), start=1):
        name = row[variable].strip() if variable else f"q{number}"
        options = _listed(row[column])
        form.add(FormItem(name, (plain_text(row[text]) if text else "") or name, options))
    return form


def _names(table: CsvTable, passed: Sequence[str], form: Form) -> str:
    """The column of the names of questions: by its head, or as the first of distinct single words.

    Where there is none they are numbered, which is told, for responses may have such names for others.
    """
    called = _spelled(table, _VARIABLE, passed[0])
    if called and called not in passed:
        return called
    for name in table.columns:
        cells = [row[name].strip() for _, row in table.records()]
        words = all(re.fullmatch(r"(?=.*[^\W\d])[\w.\-]+", cell) for cell in cells)
        if name not in passed and words and len(set(cells)) == len(cells):
            return name
    form.notes.append(
        "No column names the questions: they are q1, q2, ... by their rows. Add a column 'variable' with "
        "their names in the responses before these are tabulated."
    )
    return ""


def _listed(cell: str) -> dict[str, str]:
    """Answers by their codes: ``1 = Yes; 2 = No``, a line each, or ``Yes=1, No=2``; else nothing."""
    pieces = [piece.strip() for piece in re.split(r"[\n;|]", cell) if piece.strip()]
    if len(pieces) == 1:
        pieces = re.split(r"\s*,\s*(?=[\"']?-?\d{1,7}\s*[=:])|(?<=[=:]\d)\s*,\s*", cell.strip())
    for pattern in (_BY_CODE, _BY_LABEL):
        found = [pattern.fullmatch(piece) for piece in pieces]
        pairs = [(one["code"], plain_text(one["label"].strip(" \"'"))) for one in found if one]
        if len(pairs) == len(pieces) == len(dict(pairs)):
            return dict(pairs)
    return {}


def _opinion_qa(table: CsvTable, form: Form) -> Form:
    named = next((name for name in ("key", "qkey", "id") if name in table.columns), "question")
    for line, row in table.records():
        try:
            mapping = row.get("option_mapping", "").strip()
            value: Any = literal(mapping or row["references"], "options")
            pairs = value.items() if isinstance(value, dict) else enumerate(value, start=1)
            options = {_whole(code): options_of([label])[0] for code, label in pairs}
        except (MalformedError, TypeError) as error:
            raise DataFileError(table.path, line, f"the options cannot be read: {error}.") from None
        form.add(FormItem(row[named].strip(), plain_text(row["question"]), options))
    return form


def _whole(code: Any) -> str:
    return str(int(code)) if isinstance(code, float) and code.is_integer() else str(code)


def _options_in_columns(table: CsvTable, form: Form) -> Form:
    text = _spelled(table, ("question", "text", "question_text"))
    places = [name for name in table.columns if _OPTION.fullmatch(plain(name))]
    named = _names(table, (text, *places), form)
    for number, (_, row) in enumerate(table.records(), start=1):
        listed = [plain_text(row[place]) for place in places if row[place].strip()]
        options = {str(n): option for n, option in enumerate(listed, start=1)}
        name = row[named].strip() if named else f"q{number}"
        form.add(FormItem(name, plain_text(row[text]), options))
    return form


def is_question_list(value: Any) -> bool:
    """Whether a JSON value is a list of questions with their options, and nothing that anybody answered."""
    if (
        not isinstance(value, list)
        or not value
        or not all(isinstance(one, Mapping) for one in value)
    ):
        return False
    keys = value[0].keys()
    if any(isinstance(one, Mapping) and key not in _LISTS for key, one in value[0].items()):
        return False  # somebody's answers, by group
    return "question" in keys and bool({*_LISTS} & keys) and not _ANSWERED & keys


def read_question_list(path: Path, value: Sequence[Mapping[str, Any]]) -> Form:
    """The questions of a JSON list; options are texts, texts with their codes, or ``{code: text}``."""
    form = Form(path, path.name)
    for number, entry in enumerate(value, start=1):
        name = next(
            (str(entry[key]) for key in ("Q_id", "id", "qid", "key", "name") if key in entry),
            f"q{number}",
        )
        listed = next((entry[key] for key in _LISTS if key in entry), None)
        try:
            options = (
                {str(code): options_of([label])[0] for code, label in listed.items()}
                if isinstance(listed, Mapping)
                else numbered_options(options_of(listed))
            )
        except MalformedError as error:
            raise DataFileError(path, None, f"entry {number} ({name}): {error}.") from None
        form.add(FormItem(name, plain_text(entry.get("question")), options))
    return form
