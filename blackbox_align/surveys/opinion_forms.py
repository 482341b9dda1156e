"""The forms in which opinion data were published, told apart by what they hold.

======================================  ==========================================================
question, selections, options, source   GlobalOpinionQA as its authors published it (CSV; the
                                        selections are the repr of a Python defaultdict)
question, options, selections           the same, one JSON object per question
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

import ast
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

from ..errors import DataFileError
from ..files.tables import CsvTable
from .opinions import RawAnswers, Unreadable

Rows = Iterator[RawAnswers | Unreadable]


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
    goqa = "GlobalOpinionQA"
    if isinstance(content, CsvTable):
        if {"question", "selections", "options"} <= set(content.columns):
            return Form(goqa, "goqa", _selections_csv)
        if {"prompt_question", "answer"} <= set(content.columns):
            _refuse(
                path, "this is a test with right answers (CulturalBench), not an opinion survey."
            )
        _refuse(path, f"no opinion survey has the columns {', '.join(content.columns[:8])}.")
    if isinstance(content, list) and content and isinstance(content[0], dict):
        keys = content[0].keys()
        if {"question", "options", "selections"} <= keys:
            return Form(goqa, "goqa", _selections_json)
        if {"question", "options", "attribute", "gold_distribution"} <= keys:
            return Form(goqa, "goqa", _gold_distributions)
        if {"country", "question", "options", "distribution"} <= keys:
            return Form(goqa, "goqa", _plain)
        if {"input_text", "label", "country"} <= keys:
            return Form(goqa, "goqa", _prompts)
        if {"instruction", "input", "options", "options_dist"} <= keys:
            _refuse_corrupted(path, content)
            return Form(goqa, "goqa", _instructions)
        if {"question", "option_lst"} <= keys or {"question", "choices"} <= keys:
            _refuse(path, "it holds questions without anybody's answers; give the file of shares.")
        _refuse(path, f"no opinion survey has entries with the keys {', '.join(list(keys)[:8])}.")
    if isinstance(content, dict) and content:
        first = next(iter(content.values()))
        inner = next(iter(first.values()), None) if isinstance(first, dict) else None
        if isinstance(first, dict) and "MC_options" in first:
            return Form(goqa, "goqa", _by_question)
        if isinstance(inner, (int, float)):
            _refuse(path, "it holds one number per pair of countries, not answers to questions.")
        if isinstance(inner, dict):
            innermost = next(iter(inner.values()), None)
            if isinstance(innermost, list):
                return Form(goqa, "goqa", _similar_questions)
            if isinstance(innermost, (int, float)) or not inner:
                return Form("World Values Survey", "wvs", _world_values, whole=False)
    _refuse(
        path,
        "this is no form of an opinion survey that is known; write it as a CSV table with the "
        "columns item, question, option, country and share.",
    )


def _refuse(path: Path, message: str) -> NoReturn:
    raise DataFileError(path, None, message)


# -- one entry at a time, whatever it holds ------------------------------------------------------


class _MalformedError(Exception):
    """An entry that does not have the form of its neighbours."""


def _each(entries: Any, parse: Callable[[str, Any], Rows], place: str = "entry") -> Rows:
    """The rows of all entries; one that is malformed becomes :class:`Unreadable`."""
    pairs = entries.items() if isinstance(entries, Mapping) else enumerate(entries, start=1)
    for number, entry in pairs:
        where = f"{place} {str(number)[:60]}"
        try:
            yield from parse(where, entry)
        except _MalformedError as error:
            yield Unreadable(where, str(error))


def _field(entry: Any, key: str) -> Any:
    if not isinstance(entry, Mapping) or key not in entry:
        raise _MalformedError(f"there is no {key!r}")
    return entry[key]


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise _MalformedError(f"{what} is not text")
    return value


def _options(value: Any) -> tuple[str, ...]:
    """Options as text; some files hold numbers among them (``1.0``)."""
    if not isinstance(value, (list, tuple)):
        raise _MalformedError("the options are not a list")
    options = []
    for option in value:
        if isinstance(option, float) and option.is_integer():
            option = int(option)
        if isinstance(option, bool) or not isinstance(option, (str, int, float)):
            raise _MalformedError("an option is neither text nor a number")
        options.append(str(option))
    return tuple(options)


def _shares(value: Any) -> tuple[float, ...]:
    if not isinstance(value, (list, tuple)):
        raise _MalformedError("the shares are not a list")
    for share in value:
        if isinstance(share, bool) or not isinstance(share, (int, float)):
            raise _MalformedError("a share is negative or no number")
    try:
        return tuple(float(share) for share in value)
    except OverflowError:
        raise _MalformedError("a share is negative or no number") from None


def _literal(text: str, what: str) -> Any:
    """A Python literal; never run, and refused where a key of a dict stands twice."""
    try:
        tree = ast.parse(text.strip(), mode="eval")
        value = ast.literal_eval(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Dict):
                keys = [ast.dump(key) for key in node.keys if key is not None]
                if len(set(keys)) < len(node.keys):
                    raise _MalformedError(f"a key stands twice in the {what}")
        return value
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        raise _MalformedError(f"the {what} cannot be read as Python literals") from None


# -- GlobalOpinionQA -----------------------------------------------------------------------------


def _selections_csv(path: Path, table: CsvTable) -> Rows:
    def parse(place: str, row: Any) -> Rows:
        text = row["selections"]
        if "{" not in text or "}" not in text:
            raise _MalformedError("there are no selections")
        braces = text[text.index("{") : text.rindex("}") + 1]
        options = _literal(row["options"], "options")
        yield from _selected(place, row["question"], options, _literal(braces, "selections"))

    yield from _each(dict(table.records()), parse, "line")


def _selections_json(path: Path, entries: list[Any]) -> Rows:
    def parse(place: str, entry: Any) -> Rows:
        question = _text(_field(entry, "question"), "the question")
        options = _field(entry, "options")
        yield from _selected(place, question, options, _field(entry, "selections"))

    yield from _each(entries, parse, "line")


def _selected(place: str, question: str, options: Any, selections: Any) -> Rows:
    """One question in all of its samples; each of them stands or falls alone."""
    if not isinstance(selections, dict):
        raise _MalformedError("the selections are no table of labels")
    if not selections:
        raise _MalformedError("the selections are empty")
    texts = _options(options)
    for label, shares in selections.items():
        where = f"{place}: {str(label)[:60]}"
        try:
            label = _text(label, "a label")
            yield RawAnswers(where, question, texts, label, _shares(shares))
        except _MalformedError as error:
            yield Unreadable(where, str(error))


def _gold_distributions(path: Path, entries: list[Any]) -> Rows:
    def parse(place: str, entry: Any) -> Rows:
        options = _options(_field(entry, "options"))
        asked = _text(_field(entry, "question"), "the question")
        found = re.fullmatch(r"Question: (.*)\nOptions: .*\nAnswer:\s*", asked, re.DOTALL)
        if not found:
            raise _MalformedError("it is not of the form 'Question: ... Options: ... Answer:'")
        label = _text(_field(entry, "attribute"), "the label")
        shares = _shares(_field(entry, "gold_distribution"))
        yield RawAnswers(place, found[1], options, label, shares)

    yield from _each(entries, parse)


def _plain(path: Path, entries: list[Any]) -> Rows:
    def parse(place: str, entry: Any) -> Rows:
        question = _text(_field(entry, "question"), "the question")
        label = _text(_field(entry, "country"), "the label")
        options = _options(_field(entry, "options"))
        yield RawAnswers(place, question, options, label, _shares(_field(entry, "distribution")))

    yield from _each(entries, parse)


_PROMPT = re.compile(
    r"Human: How would someone from (?P<label>[^\n]*?) answer the following question:\n"
    r"(?P<question>.*)\nHere are the options:\n(?P<options>.*?)\nAssistant:.*",
    re.DOTALL,
)


def _prompts(path: Path, entries: list[Any]) -> Rows:
    def parse(place: str, entry: Any) -> Rows:
        found = _PROMPT.fullmatch(_text(_field(entry, "input_text"), "the prompt"))
        if not found:
            raise _MalformedError("its prompt is not of the form of the others")
        label = _text(_field(entry, "country"), "the label")
        if found["label"] != label:
            raise _MalformedError("the prompt names another country than the entry")
        options = tuple(re.split(r"(?:^|\n)\([A-Z]\) ", found["options"])[1:])
        yield RawAnswers(place, found["question"], options, label, _shares(_field(entry, "label")))

    yield from _each(entries, parse, "line")


def _by_question(path: Path, content: dict[str, Any]) -> Rows:
    def parse(place: str, question: Any) -> Rows:
        entry = content[question]
        options = _literal(_text(_field(entry, "MC_options"), "the options"), "options")
        selections = {k: v for k, v in entry.items() if k not in ("MC_options", "countries")}
        yield from _selected(place, question, options, selections)

    yield from _each(list(content), parse)


def _similar_questions(path: Path, content: dict[str, Any]) -> Rows:
    def parse(place: str, by_label: Any) -> Rows:
        if not isinstance(by_label, dict):
            raise _MalformedError("it is no table of countries")
        for label, questions in by_label.items():
            where = f"{place}: {label}"
            if not isinstance(questions, dict):
                yield Unreadable(where, "it is no table of questions")
                continue
            for question, answers in questions.items():
                if isinstance(answers, list) and len(answers) == 1 and isinstance(answers[0], dict):
                    (table,) = answers
                    try:
                        shares = _shares(list(table.values()))
                        yield RawAnswers(where, question, tuple(table), label, shares)
                    except _MalformedError as error:
                        yield Unreadable(where, str(error))
                else:
                    yield Unreadable(where, "the answers are no table of options")

    yield from _each(content, parse)


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


def _instructions(path: Path, entries: list[Any]) -> Rows:
    def parse(place: str, entry: Any) -> Rows:
        instruction = _text(_field(entry, "instruction"), "the instruction")
        found = re.fullmatch(r"How would someone from (.*) answer the .*", instruction.strip())
        if not found:
            raise _MalformedError("its instruction names no country")
        question = _text(_field(entry, "input"), "the question")
        question = re.sub(r"\s*Here are the options:\s*$", "", question)
        options = tuple(
            re.sub(r"^\([A-Z]\)\s*", "", option) for option in _options(_field(entry, "options"))
        )
        table = _field(entry, "options_dist")
        if not isinstance(table, dict):
            raise _MalformedError("the shares are no table")
        yield RawAnswers(place, question, options, found[1], _shares(list(table.values())))

    yield from _each(entries, parse)


# -- World Values Survey -------------------------------------------------------------------------


def _world_values(path: Path, content: dict[str, Any]) -> Rows:
    """Shares by country, question and code; an option's place is its code less the first code."""
    questions = _questions_beside(path)
    for code, cells in content.items():
        if not isinstance(cells, dict):
            yield Unreadable(code, "it is no table of questions")
            continue
        for item, table in cells.items():
            where = f"{code} {item}"
            if not isinstance(table, dict):
                yield Unreadable(where, "it is no table of codes")
            elif item not in questions:
                yield Unreadable(where, "the question's wording is not in the file beside it")
            elif not table:
                yield Unreadable(where, "it was not asked")
            else:
                yield _coded(where, code, item, table, questions[item], content)


def _coded(
    where: str,
    country: str,
    item: str,
    table: dict[str, Any],
    asked: tuple[str, tuple[str, ...]],
    content: dict[str, Any],
) -> RawAnswers | Unreadable:
    question, options = asked
    try:
        others = (cells.get(item) or {} for cells in content.values() if isinstance(cells, dict))
        first = min(int(code) for other in others for code in other)
        positions = [int(code) - first for code in table]
        values = _shares(list(table.values()))
    except (ValueError, TypeError, AttributeError):
        return Unreadable(where, "its codes are no whole numbers")
    except _MalformedError as error:
        return Unreadable(where, str(error))
    if not positions or max(positions) >= len(options):
        return Unreadable(where, "it has codes that no option stands for")
    shares = [0.0] * len(options)
    for position, value in zip(positions, values, strict=True):
        shares[position] = value
    return RawAnswers(where, question, options, country, tuple(shares), item)


def _questions_beside(path: Path) -> dict[str, tuple[str, tuple[str, ...]]]:
    """The wording of the items: a list of Q_id, question, option_lst in a file of the same folder."""
    for file in sorted(path.parent.glob("*questions*.json")):
        try:
            entries = json.loads(file.read_text(encoding="utf-8"))
            return {
                entry["Q_id"]: (entry["question"], _options(entry["option_lst"]))
                for entry in entries
            }
        except (ValueError, KeyError, TypeError, OSError, RecursionError, _MalformedError):
            continue
    raise DataFileError(
        path,
        None,
        "it holds shares by question number only; put the questions beside it, in a file named "
        "...questions.json: a list of {Q_id, question, option_lst}.",
    )
