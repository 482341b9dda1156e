"""Published answers of groups of people, with the prompts that they were published for.

==============================================  ==========================================================
attribute, group, question, options, responses  SubPOP: a row per question and group, as lists or their text
input_template, human_answer, group_prompt_...  SimBench: a row per question and group; the options stand in
                                                the text as ``(A): Yes``, the answers are ``{'A': 0.7, ...}``
==============================================  ==========================================================
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ..populations.population import Population
from .assembly import RawAnswers
from .entries import MalformedError, Rows, each, field_of, literal, options_of, shares_of, text_of

_SUBPOP = {"attribute", "group", "question", "options", "responses"}
_SIMBENCH = {"input_template", "human_answer", "group_prompt_template", "group_prompt_variable_map"}
_LETTER = re.compile(r"(?:^|\n)\s*\(?([A-Z])\)?\s*[:.)]\s*([^\n]+)")


def is_of_groups(columns: Sequence[str]) -> bool:
    """Whether a table or a JSON entry with these keys is one of the two."""
    return set(columns) >= _SUBPOP or set(columns) >= _SIMBENCH


def read_groups_of(
    entries: Sequence[tuple[str, Mapping[str, Any]]],
) -> tuple[Rows, dict[str, Population]]:
    """The distributions of entries, each with its place, and the groups by their label."""
    groups: dict[str, Population] = {}
    form = _simbench if entries and set(entries[0][1]) >= _SIMBENCH else _subpop
    rows = list(each(dict(entries), partial(form, groups), "at"))
    return iter(rows), groups


def _subpop(groups: dict[str, Population], place: str, entry: Any) -> Rows:
    about = text_of(field_of(entry, "attribute"), "the attribute")
    name = str(field_of(entry, "group"))
    label = f"{about}: {name}"
    wording = f"Answer as a typical person would whose {about} is: {{name}}."
    groups.setdefault(label, Population(label, name, wording))
    options = options_of(_read(field_of(entry, "options"), "options"))
    shares = shares_of(_read(field_of(entry, "responses"), "responses"))
    question = text_of(field_of(entry, "question"), "the question")
    # Shares are of those who answered; a refusal may be listed without one.
    yield RawAnswers(place, question, options[: len(shares)], label, shares)


def _simbench(groups: dict[str, Population], place: str, entry: Any) -> Rows:
    template = text_of(field_of(entry, "group_prompt_template"), "the prompt of the group")
    values = _read(entry["group_prompt_variable_map"] or "{}", "group_prompt_variable_map")
    wording = template
    for name, value in values.items() if isinstance(values, dict) else ():
        wording = wording.replace(f"{{{name}}}", str(value))
    wording = " ".join(wording.split()) or "everybody"
    groups.setdefault(
        wording, Population(wording, wording, wording.replace("{", "(").replace("}", ")"))
    )
    text = text_of(field_of(entry, "input_template"), "the question")
    found = list(_LETTER.finditer(text))
    options = {match[1]: match[2].strip() for match in found}
    answers = _read(field_of(entry, "human_answer"), "human_answer")
    if (
        not isinstance(answers, dict)
        or not found
        or len(options) < len(found)
        or set(answers) - set(options)
    ):
        raise MalformedError("its answers are none of the options (A), (B), ... in its text")
    question = re.sub(
        r"\s*(Options|Answer options|Choices)\s*:?\s*$",
        "",
        text[: found[0].start()],
        flags=re.I,
    )
    question = re.sub(r"^\s*Question\s*:\s*", "", question, flags=re.I)
    shares = shares_of([answers.get(letter, 0.0) for letter in options])
    size = entry.get("group_size")
    people = float(size) if re.fullmatch(r"\d+(\.\d+)?", str(size)) else None
    yield RawAnswers(place, question, tuple(options.values()), wording, shares, people=people)


def _read(value: Any, what: str) -> Any:
    return literal(value, what) if isinstance(value, str) else value
