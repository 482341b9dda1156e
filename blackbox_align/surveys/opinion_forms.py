"""The forms in which opinion data were published, told apart by what they hold.

======================================  ==========================================================
question, selections, options, source   GlobalOpinionQA as its authors published it (CSV; the
                                        selections are the repr of a Python defaultdict)
question, options, selections           the same, one JSON object per question
question, options, a column a country   the same as a table or as objects
question, options, attribute,           one entry per question and country, the options also
gold_distribution                       written into the question
country, question, options,             one entry per question and country
distribution
input_text, label, country              one line per question and country, all of it in a prompt
{question: {country: [...]}}            with ``MC_options``, the repr of a list
{...: {country: {question: [{...}]}}}   questions that were judged similar, with shares by option
{country: {question: {code: share}}}    World Values Survey; the questions are in a file beside it
instruction, input, options,            one entry per question and country; known to be corrupted,
options_dist                            and refused where it is
======================================  ==========================================================
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

from ..errors import DataFileError
from ..files.missing import is_mark
from ..files.records import records
from ..files.tables import CsvTable
from ..populations.labels import read_labels
from .assembly import RawAnswers, Unreadable
from .code_books import coded_answers
from .entries import (
    MalformedError,
    Rows,
    each,
    field_of,
    literal,
    options_of,
    shares_of,
    text_of,
)
from .looks_like import columns_look_like, content_looks_like

# What the shares of an entry are called, as a list in the order of the options or by option.
_SHARES = ("distribution", "shares", "probabilities", "probs", "proportions", "percentages", "answers",
           "counts", "frequencies")  # fmt: skip


@dataclass(frozen=True)
class Form:
    """A way in which distributions were written down, and how they are read.

    ``whole`` is False where the shares of those who gave an opinion need not sum to 1.
    """

    title: str
    name: str
    rows: Callable[[Path, Any], Rows]
    whole: bool = True


def find_form(path: Path, content: Any) -> Form:
    """The form of a file's content; :class:`DataFileError` where it is none, saying what it is."""
    if isinstance(content, CsvTable):
        if {"question", "selections", "options"} <= set(content.columns):
            return _goqa(_selections, "line", lambda table: dict(table.records()))
        if {"question", "options"} <= set(content.columns) and labels_of(content.heads):
            return Form("GlobalOpinionQA", "goqa", _wide_csv)
        _refuse(path, columns_look_like(content))
    content = records(content)
    if isinstance(content, list) and content and isinstance(content[0], dict):
        keys = content[0].keys()
        if {"question", "options", "selections"} <= keys:
            return _goqa(_selections, "line")
        if {"question", "options", "attribute", "gold_distribution"} <= keys:
            return _goqa(_gold_distribution)
        if {"country", "question"} <= keys and {*_SHARES} & keys:
            return _goqa(_plain)
        if {"input_text", "label", "country"} <= keys:
            return _goqa(_prompt, "line")
        if {"question", "options"} <= keys and labels_of(list(keys)):
            return Form("GlobalOpinionQA", "goqa", _wide_json)
        if {"instruction", "input", "options", "options_dist"} <= keys:
            _refuse_corrupted(path, content)
            return _goqa(_instruction)
    if isinstance(content, dict) and content:
        first = next(iter(content.values()))
        inner = next(iter(first.values()), None) if isinstance(first, dict) else None
        if isinstance(first, dict) and "MC_options" in first:
            return _goqa(_of_question, entries=lambda by_question: list(by_question.items()))
        if isinstance(inner, dict):
            innermost = next(iter(inner.values()), None)
            if isinstance(innermost, list):
                return _goqa(_similar_questions)
            if isinstance(innermost, (int, float)) and not any(map(_is_code, inner)):
                return Form("GlobalOpinionQA", "goqa", _nested)
            if isinstance(innermost, (int, float)) or not inner:
                return Form("World Values Survey", "wvs", coded_answers, whole=False)
    _refuse(path, content_looks_like(content))


def _goqa(
    parse: Callable[[str, Any], Rows],
    place: str = "entry",
    entries: Callable[[Any], Any] = lambda content: content,
) -> Form:
    """A form of GlobalOpinionQA that is read entry by entry."""
    return Form("GlobalOpinionQA", "goqa", lambda _, content: each(entries(content), parse, place))


def _refuse(path: Path, message: str) -> NoReturn:
    raise DataFileError(path, None, message)


# -- GlobalOpinionQA -----------------------------------------------------------------------------


def _selections(place: str, entry: Any) -> Rows:
    question = text_of(field_of(entry, "question"), "the question")
    options = field_of(entry, "options")
    yield from _selected(place, question, options, field_of(entry, "selections"))


_OPENING = re.compile(r"(selections?|shares?|distribution)[._ \[/]+", re.IGNORECASE)


def labels_of(heads: Sequence[str]) -> dict[str, str]:
    """The countries that have a column each, by its head: ``Chile`` or ``selections.Chile``.

    Empty where fewer than two thirds of the columns are countries'.
    """
    about = {"question", "options", "source", "topic", "id", "qid", "q_id", "survey"}
    bare = {
        head: _OPENING.sub("", head.strip(), count=1).rstrip("]")
        for head in heads
        if head.strip().casefold() not in about
    }
    found = read_labels(bare.values()).found
    labels = {head: label for head, label in bare.items() if label in found or "selections" in head}
    return labels if 3 * len(labels) >= 2 * len(bare) else {}


def _wide(row: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, Any]:
    """The shares by label of a row with a column per country; None where a cell is empty."""
    return {
        label: None
        if value is None or (isinstance(value, str) and is_mark(value))
        else literal(value, f"shares of {label}")
        if isinstance(value, str)
        else value
        for head, label in labels.items()
        if (value := row.get(head)) is not None
    }


def _wide_csv(path: Path, table: CsvTable) -> Rows:
    labels = labels_of(table.heads)
    rows = {line: dict(zip(table.heads, row, strict=True)) for line, row in table.rows}

    def parse(place: str, row: Any) -> Rows:
        own = {head.strip().casefold(): cell for head, cell in row.items()}
        yield from _selected(place, own["question"], own["options"], _wide(row, labels))

    yield from each(rows, parse, "line")


def _wide_json(path: Path, entries: list[Any]) -> Rows:
    labels = labels_of(list(dict.fromkeys(key for entry in entries for key in entry)))

    def parse(place: str, entry: Any) -> Rows:
        question = text_of(field_of(entry, "question"), "the question")
        yield from _selected(place, question, field_of(entry, "options"), _wide(entry, labels))

    yield from each(entries, parse, "line")


def _selected(place: str, question: str, options: Any, selections: Any) -> Rows:
    """One question in all of its samples; each of them stands or falls alone.

    Options and selections may be the text of a Python literal, as the public file has them.
    """
    if isinstance(selections, str):
        if "{" not in selections or "}" not in selections:
            raise MalformedError("there are no selections")
        braces = selections[selections.index("{") : selections.rindex("}") + 1]
        selections = literal(braces, "selections")
    if isinstance(options, str):
        options = literal(options, "options")
    if not isinstance(selections, dict):
        raise MalformedError("the selections are no table of labels")
    if not selections:
        raise MalformedError("the selections are empty")
    texts = options_of(options)
    for label, shares in selections.items():
        if shares is None:  # a table of all countries has a place for those who were not asked
            continue
        where = f"{place}: {str(label)[:60]}"
        try:
            label = text_of(label, "a label")
            yield RawAnswers(where, question, texts, label, shares_of(shares))
        except MalformedError as error:
            yield Unreadable(where, str(error))


def _gold_distribution(place: str, entry: Any) -> Rows:
    options = options_of(field_of(entry, "options"))
    asked = text_of(field_of(entry, "question"), "the question")
    found = re.fullmatch(r"Question: (.*)\nOptions: .*\nAnswer:\s*", asked, re.DOTALL)
    if not found:
        raise MalformedError("it is not of the form 'Question: ... Options: ... Answer:'")
    label = text_of(field_of(entry, "attribute"), "the label")
    shares = shares_of(field_of(entry, "gold_distribution"))
    yield RawAnswers(place, found[1], options, label, shares)


def _plain(place: str, entry: Any) -> Rows:
    question = text_of(field_of(entry, "question"), "the question")
    label = text_of(field_of(entry, "country"), "the label")
    key = next((key for key in _SHARES if key in entry), "distribution")
    shares = field_of(entry, key)
    options = options_of(entry.get("options", list(shares) if isinstance(shares, dict) else None))
    yield RawAnswers(place, question, options, label, shares_of(_by_label(shares, options)))


_PROMPT = re.compile(
    r"Human: How would someone from (?P<label>[^\n]*?) answer the following question:\n"
    r"(?P<question>.*)\nHere are the options:\n(?P<options>.*?)\nAssistant:.*",
    re.DOTALL,
)


def _prompt(place: str, entry: Any) -> Rows:
    found = _PROMPT.fullmatch(text_of(field_of(entry, "input_text"), "the prompt"))
    if not found:
        raise MalformedError("its prompt is not of the form of the others")
    label = text_of(field_of(entry, "country"), "the label")
    if found["label"] != label:
        raise MalformedError("the prompt names another country than the entry")
    options = tuple(re.split(r"(?:^|\n)\([A-Z]\) ", found["options"])[1:])
    yield RawAnswers(place, found["question"], options, label, shares_of(field_of(entry, "label")))


def _of_question(place: str, asked: Any) -> Rows:
    """Shares, or numbers of people, per country; by the options' order or by their labels."""
    question, entry = asked
    options = field_of(entry, "MC_options")
    if isinstance(options, str):
        options = literal(options, "options")
    texts = options_of(options)
    wording = text_of(entry.get("question_text", question), "the question")
    about = ("MC_options", "countries", "question_text", "source", "topic")
    selections = {k: v for k, v in entry.items() if k not in about}
    yield from _selected(
        place, wording, list(texts), {k: _by_label(v, texts) for k, v in selections.items()}
    )


def _by_label(shares: Any, options: tuple[str, ...]) -> Any:
    """A table of shares by option as a list in the options' order; anything else as it is."""
    if not isinstance(shares, dict) or not set(shares) <= set(options):
        return shares
    return [shares.get(option, 0.0) for option in options]


def _is_code(key: str) -> bool:
    return re.fullmatch(r"[-+]?\d{1,6}(\.0)?", key.strip()) is not None


def _nested(path: Path, content: dict[str, Any]) -> Rows:
    """``{question: {country: {option: share}}}``, or the countries first."""
    first = read_labels(content)
    for outer, table in content.items():
        for inner, shares in table.items() if isinstance(table, dict) else ():
            label, question = (
                (outer, inner) if len(first.found) > len(first.unknown) else (inner, outer)
            )
            where = f"{outer[:60]}: {inner[:60]}"
            try:
                if not isinstance(shares, dict):
                    raise MalformedError("the answers are no table of options")
                yield RawAnswers(
                    where, question, tuple(shares), label, shares_of(list(shares.values()))
                )
            except MalformedError as error:
                yield Unreadable(where, str(error))


def _similar_questions(place: str, by_label: Any) -> Rows:
    if not isinstance(by_label, dict):
        raise MalformedError("it is no table of countries")
    for label, questions in by_label.items():
        where = f"{place}: {label}"
        if not isinstance(questions, dict):
            yield Unreadable(where, "it is no table of questions")
            continue
        for question, answers in questions.items():
            if isinstance(answers, list) and len(answers) == 1 and isinstance(answers[0], dict):
                (table,) = answers
                try:
                    shares = shares_of(list(table.values()))
                    yield RawAnswers(where, question, tuple(table), label, shares)
                except MalformedError as error:
                    yield Unreadable(where, str(error))
            else:
                yield Unreadable(where, "the answers are no table of options")


def _refuse_corrupted(path: Path, entries: list[Any]) -> None:
    """Refuse a file whose options were torn apart at commas, with what gives it away."""
    quotes, fragments, padded = 0, 0, 0
    examples: list[str] = []
    for number, entry in enumerate(entries, start=1):
        options = entry.get("options") if isinstance(entry, dict) else None
        shares = entry.get("options_dist") if isinstance(entry, dict) else None
        if not isinstance(options, list) or not isinstance(shares, dict):
            continue
        texts = [re.sub(r"^\([A-Z]\)", "", str(option)).strip() for option in options]
        quoted = any('"' in text for text in texts)
        torn = any(text[:1].islower() and other[:1].isupper() for other, text in pairwise(texts))
        values = list(shares.values())
        zeros = torn and bool(values) and values[-1] == 0
        quotes, fragments, padded = quotes + quoted, fragments + torn, padded + zeros
        if torn and len(examples) < 2:
            examples.append(f"entry {number}: {' | '.join(texts)[:90]}")
    if quotes or fragments:
        raise DataFileError(
            path,
            None,
            f"it is corrupted. In {fragments:,} of its {len(entries):,} entries the options were torn "
            f"apart at commas ({'; '.join(examples) or 'none'}), {padded:,} of them with zeros added "
            f"to the shares, and in {quotes:,} apostrophes were turned into quotation marks: the "
            "shares no longer belong to the options. Take the questions from another file.",
        )


def _instruction(place: str, entry: Any) -> Rows:
    instruction = text_of(field_of(entry, "instruction"), "the instruction")
    found = re.fullmatch(r"How would someone from (.*) answer the .*", instruction.strip())
    if not found:
        raise MalformedError("its instruction names no country")
    question = text_of(field_of(entry, "input"), "the question")
    question = re.sub(r"\s*Here are the options:\s*$", "", question)
    options = tuple(
        re.sub(r"^\([A-Z]\)\s*", "", option) for option in options_of(field_of(entry, "options"))
    )
    table = field_of(entry, "options_dist")
    if not isinstance(table, dict):
        raise MalformedError("the shares are no table")
    yield RawAnswers(place, question, options, found[1], shares_of(list(table.values())))
