"""Shares by country, question and code, as they are made from the World Values Survey.

The code book beside the file says what the codes mean. An option's place is read from it, and never
guessed from the smallest code that somebody chose: where it numbers no options, they are placed only
if the codes seen leave one way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DataFileError
from ..files.missing import NEGATIVE, is_missing_code
from ..files.strict_json import parse_json
from ..files.tables import read_text
from .assembly import RawAnswers, Unreadable
from .entries import MalformedError, Rows, options_of, shares_of
from .non_response import non_responses

_NUMBERED = re.compile(r"([-+]?\d{1,7})\s*[.:=)\-]\s*(\S.*)", re.DOTALL)


@dataclass(frozen=True)
class _Entry:
    """A question of a code book; ``codes`` has one per option, or is empty where it numbers none."""

    question: str
    options: tuple[str, ...]
    codes: tuple[int, ...]


@dataclass(frozen=True)
class _Places:
    """The options of an item by their code, those that are no answers among them."""

    labels: dict[int, str]
    missing: frozenset[str]


def coded_answers(path: Path, content: dict[str, Any]) -> Rows:
    """A distribution per country and question of ``{country: {question: {code: share}}}``."""
    book = _code_book(path)
    seen: dict[str, set[int]] = {}
    for cells in content.values():
        for item, table in cells.items() if isinstance(cells, dict) else ():
            if isinstance(table, dict):
                codes = {_code(code) for code in table}
                seen.setdefault(item, set()).update(code for code in codes if code is not None)
    places = {item: _places(book[item], codes) for item, codes in seen.items() if item in book}
    for country, cells in content.items():
        if not isinstance(cells, dict):
            yield Unreadable(country, "it is no table of questions")
            continue
        for item, table in cells.items():
            where = f"{country} {item}"
            if not isinstance(table, dict):
                yield Unreadable(where, "it is no table of codes")
            elif item not in book:
                yield Unreadable(where, "the question's wording is not in the file beside it")
            elif not table:
                yield Unreadable(where, "it was not asked")
            else:
                yield _row(where, country, item, table, book[item].question, places[item])


def _row(
    where: str, country: str, item: str, table: dict[str, Any], question: str, place: _Places | str
) -> RawAnswers | Unreadable:
    codes = [_code(code) for code in table]
    if None in codes:
        return Unreadable(where, "its codes are no whole numbers")
    if isinstance(place, str):
        return Unreadable(where, place)
    try:
        values = shares_of(list(table.values()))
    except MalformedError as error:
        return Unreadable(where, str(error))
    if not set(codes) <= place.labels.keys():
        return Unreadable(where, "it has codes that no option stands for")
    shares = dict.fromkeys(place.labels, 0.0)
    for code, value in zip(codes, values, strict=True):
        if code is not None:
            shares[code] += value
    options = tuple(place.labels.values())
    return RawAnswers(
        where, question, options, country, tuple(shares.values()), item, missing=place.missing
    )


def _code(code: Any) -> int | None:
    text = str(code).strip().removesuffix(".0")
    return int(text) if re.fullmatch(r"[-+]?\d{1,6}", text) and text.isascii() else None


def _places(entry: _Entry, seen: set[int]) -> _Places | str:
    """What every code of an item means, or why that cannot be known."""
    if entry.codes:
        labels = dict(zip(entry.codes, entry.options, strict=True))
    else:
        last = len(entry.options)
        answers = {code for code in seen if 0 <= code <= last or not _is_none(code)}
        if (answers and max(answers) > last) or any(code < 0 for code in answers):
            return "it has codes that no option stands for"
        if 0 in answers and last in answers:
            return f"its codes go from 0 to {last}, but it has {last} options"
        if answers and 0 not in answers and last not in answers:
            return (
                f"its codes ({', '.join(map(str, sorted(answers)))}) may begin at 0 or at 1; write its "
                "options as {code: label} in the file of questions"
            )
        first = 0 if 0 in answers else 1
        labels = {first + n: option for n, option in enumerate(entry.options)}
    unnamed = {
        code: f"code {code}" for code in sorted(seen) if code not in labels and _is_none(code)
    }
    none = non_responses(tuple(labels.values()))
    none |= {option for code, option in labels.items() if code < 0 and _stand_apart(labels)}
    return _Places(labels | unnamed, frozenset(none | set(unnamed.values())))


def _is_none(code: int) -> bool:
    return code in NEGATIVE or is_missing_code(code)


def _stand_apart(labels: dict[int, str]) -> bool:
    """Whether negative codes are no part of a scale such as -2 to 2."""
    return sorted(labels) != [-code for code in sorted(labels, reverse=True)]


def _code_book(path: Path) -> dict[str, _Entry]:
    """The items of the file of questions in the same folder, by their number."""
    fault = None
    for file in sorted(path.parent.glob("*questions*.json")):
        try:
            entries = parse_json(file, read_text(file))
            book = {str(entry["Q_id"]): _entry(entry) for entry in entries}
        except (KeyError, TypeError, MalformedError):
            continue
        except DataFileError as error:
            fault = fault or error
            continue
        if len(book) < len(entries):
            raise DataFileError(file, None, "a Q_id stands there twice; remove one of the entries.")
        return book
    if fault:
        raise fault
    raise DataFileError(
        path,
        None,
        "it holds shares by question number only; put the questions beside it, in a file named "
        "...questions.json: a list of {Q_id, question, option_lst}, option_lst being {code: label} or "
        "a list of labels.",
    )


def _entry(entry: dict[str, Any]) -> _Entry:
    listed, question = entry["option_lst"], entry["question"]
    if not isinstance(question, str):
        raise MalformedError("the question is not text")
    if isinstance(listed, dict):
        codes = [_code(code) for code in listed]
        if None in codes or len(set(codes)) < len(codes):
            raise MalformedError("the codes of the options are no distinct whole numbers")
        return _Entry(
            question, options_of(list(listed.values())), tuple(c for c in codes if c is not None)
        )
    options = options_of(listed)
    coded = _by_code(options)
    if coded:
        return _Entry(question, tuple(coded.values()), tuple(coded))
    return _Entry(question, options, ())


def _by_code(options: tuple[str, ...]) -> dict[int, str]:
    """Options that all begin with a code of their own (``1. Yes``), by it; else nothing."""
    numbered = [_NUMBERED.fullmatch(option.strip()) for option in options]
    pairs = {int(found[1]): found[2] for found in numbered if found}
    return pairs if options and len(pairs) == len(options) else {}


def numbered_options(options: tuple[str, ...]) -> dict[str, str]:
    """Options by the codes that they begin with, or by their places from 1 on."""
    coded = _by_code(options) or dict(enumerate(options, start=1))
    return {str(code): option for code, option in coded.items()}
