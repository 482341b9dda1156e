"""Questionnaires as tools for surveys write them: questions with the codes and labels of their answers.

Such a file says what is asked and what the codes of a response mean; nobody's answers are in it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import DataFileError
from ..files.missing import is_missing_code
from .non_response import non_responses
from .scales import dates_among
from .signs import INSTRUCTIONS, LETTERS, lettered
from .survey import Item, Scale, Survey

SEVERAL = "they take several answers, or an order of them"
OPEN = "they have no list of answers to choose from"
FILLED_IN = "their text is filled in from other answers while people are asked"
DATES = "dates are among their answers, which Excel makes of ranges (3-4 becomes 3-Apr)"
_PIPED = re.compile(r"\$?\{[^{}\s][^{}]*\}")


@dataclass(frozen=True)
class FormItem:
    """One question: its name in the responses, and its answers in order, as ``{code: label}``.

    ``missing`` are the codes that the file itself declares as no answer. Negative codes are none either, but
    for those of a scale such as -2 to 2.
    """

    id: str
    question: str
    options: Mapping[str, str]
    missing: frozenset[str] = frozenset()

    def no_answers(self) -> frozenset[str]:
        """The codes that are declared as no answer, or whose labels say so."""
        none = non_responses(tuple(self.options.values()))
        below = {code for code in self.options if re.fullmatch(r"-\d{1,7}", code, re.ASCII)}
        mirrored = all(code[1:] in self.options for code in below)  # a scale from -2 to 2
        if mirrored or not all(is_missing_code(int(code)) for code in below):
            below = set()
        return (
            self.missing | below | {code for code, label in self.options.items() if label in none}
        )


@dataclass
class Form:
    """What a file of a survey tool asks; ``left_out`` are the names of other questions by reason."""

    path: Path
    title: str
    items: list[FormItem] = field(default_factory=list)
    left_out: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def leave_out(self, reason: str, name: str) -> None:
        self.left_out.setdefault(reason, []).append(name)

    def add(self, item: FormItem) -> None:
        """Take a question, or say why it is left out."""
        texts = (item.question, *item.options.values())
        answers = len(item.options) - len(item.no_answers())
        if len(item.options) < 2:
            self.leave_out(OPEN, item.id)
        elif any(_PIPED.search(text) for text in texts):
            self.leave_out(FILLED_IN, item.id)
        elif not item.id or not all(texts):
            self.leave_out("a text of theirs is blank", item.id or "a question without a name")
        elif dates_among(list(item.options.values())):
            self.leave_out(DATES, item.id)
        elif len(set(item.options.values())) < len(item.options):
            self.leave_out("two of their answers have the same label", item.id)
        elif not 2 <= answers <= len(LETTERS):
            self.leave_out(f"they have fewer than 2 or more than {len(LETTERS)} answers", item.id)
        elif any(other.id == item.id for other in self.items):
            raise DataFileError(
                self.path, None, f"the question {item.id!r} stands there twice; rename one of them."
            )
        else:
            self.items.append(item)

    def survey(self) -> Survey:
        """The questionnaire, which has no indices; :class:`DataFileError` where nothing can be asked."""
        left_out = [
            f"Left out, because {reason}: {', '.join(names)}."
            for reason, names in self.left_out.items()
        ]
        if not self.items:
            message = "there is no question in it that can be asked. " + " ".join(left_out)
            raise DataFileError(self.path, None, message.strip())
        for item in self.items:
            none = [item.options[code] for code in item.options if code in item.no_answers()]
            if none:
                left_out.append(
                    f"Left out of {item.id}, because they are no answers: {', '.join(none)}."
                )
        return Survey(
            name=self.path.name.partition(".")[0],
            title=self.title,
            version=1,
            instruction=INSTRUCTIONS["letters"],
            items=tuple(Item(item.id, item.question, _scale(item)) for item in self.items),
            source=str(self.path),
            left_out=(*left_out, *self.notes),
        )


def _scale(item: FormItem) -> Scale:
    none = item.no_answers()
    kept = {code: label for code, label in item.options.items() if code not in none}
    numbers = all(re.fullmatch(r"-?\d{1,9}", code, re.ASCII) for code in kept)
    return lettered(list(kept.values()), [float(code) for code in kept] if numbers else None)


def plain_text(marked: object) -> str:
    """The text of a piece of HTML on one line, without tags and entities."""
    bare = re.sub(r"(?is)<(script|style)\b.*?</\1\s*>|<!--.*?-->", " ", str(marked or ""))
    bare = re.sub(r"</?[A-Za-z][^<>]*>", " ", bare)
    return " ".join(html.unescape(bare).split())


def joined(*parts: str) -> str:
    """Pieces of a question as one text, those that are blank left away."""
    return " ".join(part for part in parts if part)
