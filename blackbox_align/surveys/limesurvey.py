"""The structure of a LimeSurvey survey: its XML (.lss), and its table of tabs (.txt, .tsv)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import Element

from ..errors import DataFileError
from ..files.frame import Row
from ..files.xml import parse_xml
from .forms import OPEN, SEVERAL, Form, FormItem, joined, plain_text

# Types of questions with a list of answers of their own: one question, or one for each subquestion.
_LISTS = {"L", "!", "O"}
_ARRAYS = {"F", "H"}
# Types with the answers of LimeSurvey; those in the second table have subquestions.
_FIXED = {
    "Y": {"Y": "Yes", "N": "No"},
    "G": {"F": "Female", "M": "Male"},
    "5": {str(n): str(n) for n in range(1, 6)},
}
_FIXED_ARRAYS = {
    "A": {str(n): str(n) for n in range(1, 6)},
    "B": {str(n): str(n) for n in range(1, 11)},
    "C": {"Y": "Yes", "U": "Uncertain", "N": "No"},
    "E": {"I": "Increase", "S": "Same", "D": "Decrease"},
}
_SEVERAL = {"M", "P", "R", "1", ":", ";"}
_OWN_WORDS = {"Y", "G", "C", "E"}
_COLUMNS = {"class", "type/scale", "name", "text"}


@dataclass
class _Question:
    """A question with its parts, each a code and a text, in their order."""

    name: str
    kind: str
    text: str
    other: bool
    parts: list[tuple[str, str]] = field(default_factory=list)
    answers: list[tuple[str, str]] = field(default_factory=list)


def is_lss(content: bytes) -> bool:
    """Whether the bytes are LimeSurvey's XML."""
    head = content[:4096].lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    return head.startswith(b"<") and b"limesurvey" in head


def is_limesurvey_table(rows: Sequence[Row]) -> bool:
    """Whether a table has the columns of LimeSurvey's own."""
    return bool(rows) and {cell.strip().casefold() for cell in rows[0][1]} >= _COLUMNS


def read_lss(path: Path, content: bytes) -> Form:
    """The questions of an XML structure in the survey's first language, by group and order."""
    root = parse_xml(path, content)
    tables = {table.tag: _rows(table) for table in root}
    if "questions" not in tables:
        raise DataFileError(path, None, "there are no questions in this LimeSurvey structure.")
    survey = next(iter(tables.get("surveys", [])), {})
    listed = next((e.text or "" for e in root.iterfind("languages/language")), "")
    language = survey.get("language") or listed
    titles = {
        row.get("surveyls_language", ""): row.get("surveyls_title", "")
        for row in tables.get("surveys_languagesettings", [])
    }
    form = Form(path, plain_text(titles.get(language)) or path.name)
    groups = {row.get("gid", ""): _number(row, "group_order") for row in tables.get("groups", [])}
    spoken = {
        row.get("qid", ""): row for row in _in_language(tables.get("question_l10ns", []), language)
    }
    labels = {
        row.get("aid", ""): row for row in _in_language(tables.get("answer_l10ns", []), language)
    }
    everything = [
        {
            **row,
            "question": row.get("question")
            or spoken.get(row.get("qid", ""), {}).get("question", ""),
        }
        for row in _in_language(tables["questions"] + tables.get("subquestions", []), language)
    ]
    everything.sort(
        key=lambda row: (groups.get(row.get("gid", ""), 0), _number(row, "question_order"))
    )
    questions: dict[str, _Question] = {}
    for row in everything:
        if _is_part(row):
            continue
        questions.setdefault(row.get("qid", ""), _question(row, "title", "type", "question"))
    for row in everything:
        if _is_part(row) and row["parent_qid"] in questions:
            questions[row["parent_qid"]].parts.append(
                (row.get("title", ""), plain_text(row["question"]))
            )
    answers = _in_language(tables.get("answers", []), language)
    for row in sorted(answers, key=lambda row: _number(row, "sortorder")):
        if row.get("qid", "") in questions and row.get("scale_id", "0") in ("", "0"):
            label = row.get("answer") or labels.get(row.get("aid", ""), {}).get("answer", "")
            questions[row["qid"]].answers.append((row.get("code", ""), plain_text(label)))
    return _filled(form, questions.values(), language)


def _rows(table: Element) -> list[dict[str, str]]:
    return [{cell.tag: cell.text or "" for cell in row} for row in table.iterfind("rows/row")]


def _in_language(rows: list[dict[str, str]], language: str) -> list[dict[str, str]]:
    """The rows in one language, and those that say none."""
    return [row for row in rows if row.get("language", "") in ("", language)]


def _is_part(row: Mapping[str, str]) -> bool:
    return row.get("parent_qid", "0") not in ("", "0")


def _number(row: Mapping[str, str], key: str) -> int:
    text = row.get(key, "")
    return int(text) if text.isdecimal() and len(text) < 10 else 0


def _question(row: Mapping[str, str], name: str, kind: str, text: str) -> _Question:
    other = row.get("other", "").strip().upper() == "Y"
    return _Question(
        row.get(name, "").strip(), row.get(kind, "").strip(), plain_text(row.get(text, "")), other
    )


def read_limesurvey_table(path: Path, rows: Sequence[Row]) -> Form:
    """The questions of a table of tabs in its first language: rows of parts follow their question."""
    heads = [cell.strip().casefold() for cell in rows[0][1]]
    records = [
        {head: cell.strip() for head, cell in zip(heads, row, strict=False)} for _, row in rows[1:]
    ]
    settings = {row.get("name"): row.get("text", "") for row in records if row.get("class") == "S"}
    language = settings.get("language") or next(
        (row["language"] for row in records if row.get("language")), ""
    )
    records = _in_language(records, language)
    titles = [r.get("text") for r in records if r.get("name") == "surveyls_title"]
    form = Form(path, plain_text(next(iter(titles), "")) or path.name)
    questions: list[_Question] = []
    for row in records:
        part = row.get("name", ""), plain_text(row.get("text", ""))
        match row.get("class", ""):
            case "Q":
                questions.append(_question(row, "name", "type/scale", "text"))
            case "SQ" if questions and row.get("type/scale", "") in ("", "0"):
                questions[-1].parts.append(part)
            case "A" if questions and row.get("type/scale", "") in ("", "0"):
                questions[-1].answers.append(part)
    return _filled(form, questions, language)


def _filled(form: Form, questions: Iterable[_Question], language: str) -> Form:
    """The form with its items; what LimeSurvey itself words is told where people read another language."""
    translated, others = [], []
    for question in questions:
        kind = question.kind
        if kind == "X":  # a text between questions
            continue
        if kind in _SEVERAL:
            form.leave_out(SEVERAL, question.name)
            continue
        if kind not in _LISTS | _ARRAYS | _FIXED.keys() | _FIXED_ARRAYS.keys():
            form.leave_out(OPEN, question.name)
            continue
        if kind in _OWN_WORDS and language.partition("-")[0] not in ("", "en"):
            translated.append(question.name)
        if question.other and kind in _LISTS:
            others.append(question.name)
        fixed = {**_FIXED, **_FIXED_ARRAYS}.get(kind)
        answers = fixed or dict(question.answers)
        if not fixed and len(answers) < len(question.answers):
            raise DataFileError(
                form.path,
                None,
                f"two answers of {question.name!r} have one code; rename one of them.",
            )
        if kind in _ARRAYS | _FIXED_ARRAYS.keys():
            for code, text in question.parts:
                name = f"{question.name}_{code}"
                form.add(FormItem(name, joined(question.text, text), answers))
        else:
            form.add(FormItem(question.name, question.text, answers))
    if translated:
        form.notes.append(
            f"LimeSurvey words the answers itself; they are in English here: {', '.join(translated)}."
        )
    if others:
        form.notes.append(
            f"Left out of {', '.join(others)}: an answer in people's own words ('other')."
        )
    return form
