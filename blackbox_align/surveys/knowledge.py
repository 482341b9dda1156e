"""Tests of knowledge, which have right answers: CulturalBench (Chiu et al. 2024), Easy and Hard.

Easy asks one of four options. Hard asks of each of the four whether it is true, and a question is
right only if *all* of its judgements are: a score per judgement is another, much higher number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataFileError, UnknownNameError
from ..files.report import Report
from ..files.tables import CsvTable
from ..populations.countries import find_country, known_country
from .opinion_files import read_content
from .signs import lettered
from .survey import Item, Scale, Survey

_EASY = {f"prompt_option_{letter}" for letter in "abcd"}
_BOTH = {"question_idx", "prompt_question", "answer", "country"}
_INSTRUCTIONS = {
    "easy": "Choose the right answer. Answer with one letter.",
    "hard": "Is this answer to the question true or false? Answer with one letter.",
}
_TRUTH = {"true": 0, "1": 0, "false": 1, "0": 1}


@dataclass(frozen=True)
class Judgement:
    """One item of a test: the ``question`` it belongs to, the ``country``, and which option is right."""

    item: str
    question: str
    country: str
    right: int


@dataclass(frozen=True)
class KnowledgeTest:
    """A survey whose items have right answers; a question is right if all of its items are."""

    survey: Survey
    judgements: tuple[Judgement, ...]
    rule: str
    report: Report

    @cached_property
    def questions(self) -> Mapping[str, str]:
        """The questions in order, each with its country's code."""
        return {judgement.question: judgement.country for judgement in self.judgements}

    @cached_property
    def countries(self) -> Mapping[str, int]:
        """The number of questions about every country, by code, the largest first."""
        return dict(Counter(self.questions.values()).most_common())

    def right(self) -> np.ndarray:
        """(items,) int: the position of the right option of every item of the survey."""
        return np.array([judgement.right for judgement in self.judgements])

    def select(self, countries: Sequence[str]) -> KnowledgeTest:
        """The questions about some countries; :class:`UnknownNameError` for one without any."""
        codes = set()
        for name in countries:
            country = find_country(name)
            if country.code not in self.countries:
                raise UnknownNameError(f"country in {self.survey.title}:", country.name, ())
            codes.add(country.code)
        kept = [n for n, judgement in enumerate(self.judgements) if judgement.country in codes]
        items = tuple(self.survey.items[n] for n in kept)
        return replace(
            self,
            survey=replace(self.survey, items=items),
            judgements=tuple(self.judgements[n] for n in kept),
        )


def is_knowledge_test(path: Path | str) -> bool:
    """Whether a file has the columns of CulturalBench."""
    content = read_content(Path(path))
    return isinstance(content, CsvTable) and "prompt_question" in content.columns


def load_knowledge(path: Path | str) -> KnowledgeTest:
    """CulturalBench-Easy or CulturalBench-Hard from its CSV file, gzipped or not.

    Rows that cannot be used are counted in the report: no question, a blank option, an answer that
    is none, a country that is not known. In Hard a row is one judgement; a question is judged on the
    rows that are left.

    Raises
    ------
    DataFileError
        The columns are neither Easy's nor Hard's, or no row can be used.
    """
    path = Path(path)
    table, rule = _columns(path, read_content(path))
    items: list[Item] = []
    judgements: list[Judgement] = []
    dropped: dict[str, list[str]] = {}
    seen: Counter[str] = Counter()
    for line, row in table.records():
        found = _easy(row) if rule == "easy" else _hard(row)
        question, country = row["question_idx"].strip(), known_country(row["country"])
        if isinstance(found, str):
            dropped.setdefault(found, []).append(f"line {line}")
        elif country is None:
            dropped.setdefault("its country is not known", []).append(f"line {line}")
        elif rule == "easy" and question in seen:
            dropped.setdefault("its question_idx stands there before", []).append(f"line {line}")
        else:
            text, scale, right = found
            seen[question] += 1
            name = question if rule == "easy" else f"{question}.{seen[question]}"
            items.append(Item(name, text, scale))
            judgements.append(Judgement(name, question, country.code, right))
    left_out = {reason: tuple(lines) for reason, lines in dropped.items()}
    report = Report(len(table.rows), len(items), left_out, unit="rows")
    if not items:
        raise DataFileError(path, None, "nothing in it can be used. " + " ".join(report.lines()))
    survey = Survey(
        name=f"culturalbench-{rule}",
        title=f"CulturalBench-{rule.capitalize()}",
        version=1,
        instruction=_INSTRUCTIONS[rule],
        items=tuple(items),
        source=str(path),
    )
    return KnowledgeTest(survey, tuple(judgements), rule, report)


def _columns(path: Path, content: Any) -> tuple[CsvTable, str]:
    """The table, and whether its columns are those of ``easy`` or ``hard``."""
    columns = set(content.columns) if isinstance(content, CsvTable) else set()
    if columns >= _BOTH | _EASY:
        return content, "easy"
    if columns >= _BOTH | {"prompt_option"}:
        return content, "hard"
    raise DataFileError(
        path,
        1,
        "expected the columns of CulturalBench: question_idx, prompt_question, prompt_option_a to "
        "prompt_option_d (Easy) or prompt_option (Hard), answer and country.",
    )


_Read = tuple[str, Scale, int]


def _easy(row: Mapping[str, str]) -> _Read | str:
    options = tuple(row[f"prompt_option_{letter}"].strip() for letter in "abcd")
    answer = row["answer"].strip().upper()
    if not row["prompt_question"].strip():
        return "there is no question"
    if not all(options):
        return "an option is blank"
    if len(answer) != 1 or answer not in "ABCD":
        return "the answer is none of A, B, C, D"
    return row["prompt_question"].strip(), lettered(options), "ABCD".index(answer)


def _hard(row: Mapping[str, str]) -> _Read | str:
    option, answer = row["prompt_option"].strip(), row["answer"].strip().casefold()
    if not row["prompt_question"].strip():
        return "there is no question"
    if not option:
        return "the option is blank"
    if answer not in _TRUTH:
        return "the answer is neither true nor false"
    text = f"{row['prompt_question'].strip()}\nAnswer given: {option}"
    return text, lettered(("true", "false")), _TRUTH[answer]
