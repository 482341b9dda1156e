"""The structure of a Qualtrics survey (QSF): its questions of one answer, plain or in a matrix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import DataFileError
from .forms import OPEN, SEVERAL, Form, FormItem, joined, plain_text

# Selectors of the questions of which people choose one answer, by the question's type.
_ONE_ANSWER = {
    "MC": {"SAVR", "SAHR", "SACOL", "DL", "SB"},
    "Matrix": {"Likert", "Bipolar", "Profile"},
}


def is_qsf(content: Any) -> bool:
    """Whether a JSON value is a survey of Qualtrics."""
    return isinstance(content, dict) and {"SurveyEntry", "SurveyElements"} <= content.keys()


def read_qsf(path: Path, content: Any) -> Form:
    """The questions in the order of the blocks, without those in the bin.

    The codes are those of the exported responses (``RecodeValues``); a code that is not analysed
    (``AnalyzeChoices``) is one for no answer. A statement of a matrix is an item of its own.
    """
    entry, elements = content["SurveyEntry"], content["SurveyElements"]
    name = entry.get("SurveyName") if isinstance(entry, dict) else None
    form = Form(path, plain_text(name) or path.name)
    if not isinstance(elements, list):
        raise DataFileError(path, None, "its SurveyElements are no list; export the survey again.")
    questions: dict[str, Mapping[str, Any]] = {}
    placed: list[str] = []
    binned: set[str] = set()
    for element in elements:
        kind = element.get("Element") if isinstance(element, dict) else None
        payload = element.get("Payload") if kind else None
        if kind == "SQ" and isinstance(payload, dict):
            questions[str(element.get("PrimaryAttribute"))] = payload
        elif kind == "BL":
            for block in _listed(payload):
                ids = [str(e["QuestionID"]) for e in _listed(block.get("BlockElements"))
                       if "QuestionID" in e]  # fmt: skip
                placed += ids
                binned |= set(ids) if block.get("Type") == "Trash" else set()
    for number in dict.fromkeys([*(n for n in placed if n in questions), *questions]):
        if number not in binned:
            _add(form, number, questions[number])
    return form


def _listed(value: Any) -> Iterator[Mapping[str, Any]]:
    """The objects in a list, or in the values of an object: both are written."""
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return (one for one in values if isinstance(one, dict))


def _add(form: Form, number: str, question: Mapping[str, Any]) -> None:
    name = str(question.get("DataExportTag") or number)
    kind, selector = question.get("QuestionType"), question.get("Selector")
    if kind == "DB":  # a text between questions
        return
    if kind not in _ONE_ANSWER:
        form.leave_out(SEVERAL if kind in ("RO", "PGR", "CS", "MaxDiff") else OPEN, name)
        return
    several = question.get("SubSelector") == "MultipleAnswer"
    if selector not in _ONE_ANSWER[kind] or several:
        form.leave_out(SEVERAL, name)
        return
    text = plain_text(question.get("QuestionText"))
    if kind == "MC":
        form.add(_item(name, text, question, "Choices", "ChoiceOrder"))
        return
    tags = question.get("ChoiceDataExportTags")
    for key, statement in _in_order(question, "Choices", "ChoiceOrder").items():
        tag = tags.get(key) if isinstance(tags, dict) else None
        form.add(
            _item(
                str(tag or f"{name}_{key}"),
                joined(text, statement),
                question,
                "Answers",
                "AnswerOrder",
            )
        )


def _item(name: str, text: str, question: Mapping[str, Any], labels: str, order: str) -> FormItem:
    codes = question.get("RecodeValues")
    codes = codes if isinstance(codes, dict) else {}
    analysed = question.get("AnalyzeChoices")
    analysed = analysed if isinstance(analysed, dict) else {}
    texts = _in_order(question, labels, order)
    options = {str(codes.get(key, key)): label for key, label in texts.items()}
    if len(options) < len(texts):  # two answers with one code
        options = texts
        codes = {}
    none = frozenset(str(codes.get(key, key)) for key in texts if analysed.get(key) == "No")
    return FormItem(name, text, options, none)


def _in_order(question: Mapping[str, Any], labels: str, order: str) -> dict[str, str]:
    """The texts by their key, in the order in which they are shown."""
    table = question.get(labels)
    if isinstance(table, list):
        table = {str(n): entry for n, entry in enumerate(table, start=1)}
    if not isinstance(table, dict):
        return {}
    listed = question.get(order)
    listed = [str(key) for key in listed] if isinstance(listed, list) else []
    keys = [key for key in listed if key in table] + [key for key in table if key not in listed]
    return {key: _display(table[key]) for key in keys}


def _display(entry: Any) -> str:
    return plain_text(entry.get("Display") if isinstance(entry, dict) else entry)
