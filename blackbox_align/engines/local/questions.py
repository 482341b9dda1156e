"""From questions to tokens: what a model reads before it answers, and the tokens of the answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...errors import ModelError
from ...surveys import Survey
from ...surveys.sheet import Question
from .chat import Reader, common_prefix

__all__ = ["Tokenized", "common_prefix", "tokenize", "tokenize_survey", "why_not_asked"]


@dataclass(frozen=True)
class Tokenized:
    """A question in tokens: the ``context`` after which the next token is one of ``labels``.

    ``opening`` is how many tokens of the context stand in front of the user's own words.
    """

    context: tuple[int, ...]
    labels: tuple[int, ...]
    opening: int = 0


def tokenize(question: Question, reader: Reader, text: str = "") -> Tokenized:
    """A question in the tokens of a model, behind a ``text`` on a line of its own.

    The question is tokenized with each label behind it; the context is what all of them share. So
    the split comes out right whether a tokenizer glues the blank to the label (" 1"), keeps it apart
    (" ", "1"), or opens the answer of a chat.

    Raises :class:`ModelError` where the labels are not single, distinct tokens after one common
    context: their probabilities would not be comparable.
    """
    rendered = reader.render(f"{text}\n{question.text}" if text else question.text)
    answered = [reader.tokens(rendered, label) for label in question.labels]
    context = common_prefix(answered)
    endings = [tuple(ids[len(context) :]) for ids in answered]
    asked = _short(question.text)
    if len(set(endings)) < len(endings):
        raise ModelError(
            f"Several answers of {asked} ({', '.join(question.labels)}) are one and the same token for "
            "this model, so it cannot tell them apart. Give the scale labels that it knows, such as 1 "
            "to 9 or A to E."
        )
    for label, ending in zip(question.labels, endings, strict=True):
        if len(ending) != 1:
            pieces = reader.tokenizer.convert_ids_to_tokens(list(ending))
            raise ModelError(
                f"The answer {label!r} of {asked} is not one token of its own for this model (it ends "
                f"in {pieces}), so its probability cannot be compared with the others'. Give the scale "
                "labels that are single tokens, such as 1 to 9 or A to E."
            )
    opening = reader.before_content(rendered, context)
    return Tokenized(tuple(context), tuple(ending[0] for ending in endings), opening)


def why_not_asked(question: Question, reader: Reader) -> str | None:
    """A sentence why a model cannot be asked a question; None where it can."""
    try:
        tokenize(question, reader)
    except ModelError as error:
        return str(error)
    return None


def tokenize_survey(survey: Survey, tokenizer: Any) -> list[Tokenized]:
    """Every item of ``survey`` in the tokens of a model, in the order of the file."""
    reader = Reader(tokenizer)
    asked = [Question(survey.question(item), item.scale.labels) for item in survey.items]
    return [tokenize(question, reader) for question in asked]


def _short(text: str) -> str:
    """The question itself, which stands on the last line, as far as it fits a sentence."""
    line = text.strip().splitlines()[-1].removeprefix("Question: ")
    return repr(line if len(line) <= 60 else line[:57] + "...")
