"""From survey items to tokens: what the model reads before it answers, and the tokens of the answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import ModelError
from ...surveys import Item, Survey


@dataclass(frozen=True)
class Question:
    """One item in tokens: the ``context`` after which the next token is one of ``labels``."""

    context: tuple[int, ...]
    labels: tuple[int, ...]


def tokenize_survey(survey: Survey, tokenizer: Any) -> list[Question]:
    """Every item of ``survey`` in the tokens of a model.

    A chat template is applied where the tokenizer has one; else the question ends in ``Answer:``.

    Raises :class:`ModelError` where the labels of an item are not single, distinct tokens after one
    common context: their probabilities would not be comparable.
    """
    return [_question(survey, item, tokenizer) for item in survey.items]


def _question(survey: Survey, item: Item, tokenizer: Any) -> Question:
    """Tokenize the question with each label behind it; the context is what all of them share.

    So the split comes out right whether a tokenizer glues the blank to the label (" 1"), keeps it
    apart (" ", "1"), or opens the answer of a chat.
    """
    text = survey.question(item)
    if getattr(tokenizer, "chat_template", None):
        chat = [{"role": "user", "content": text}]
        opening = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        # The template writes the special tokens itself.
        answered = [
            tokenizer(opening + label, add_special_tokens=False).input_ids
            for label in item.scale.labels
        ]
    else:
        answered = [tokenizer(f"{text}\nAnswer: {label}").input_ids for label in item.scale.labels]
        if all(ids[-1] == tokenizer.eos_token_id for ids in answered):
            answered = [ids[:-1] for ids in answered]
    context = common_prefix(answered)
    endings = [tuple(ids[len(context) :]) for ids in answered]
    if len(set(endings)) < len(endings):
        raise ModelError(
            f"Several answers of item {item.id} ({', '.join(item.scale.labels)}) are one and the same "
            "token for this model, so it cannot tell them apart. Give the scale labels that it knows, "
            "such as 1 to 9 or A to E."
        )
    if any(len(ending) != 1 for ending in endings):
        label, pieces = next(
            (label, tokenizer.convert_ids_to_tokens(list(ending)))
            for label, ending in zip(item.scale.labels, endings, strict=True)
            if len(ending) != 1
        )
        raise ModelError(
            f"The answer {label!r} of item {item.id} is not one token of its own for this model "
            f"(it ends in {pieces}), so its probability cannot be compared with the others'. "
            "Give the scale labels that are single tokens, such as 1 to 9 or A to E."
        )
    return Question(tuple(context), tuple(ending[0] for ending in endings))


def common_prefix(sequences: Sequence[Sequence[int]]) -> list[int]:
    """The longest opening that all sequences share."""
    # The first and the last in order differ at least as early as any two of them.
    first, last = min(map(tuple, sequences)), max(map(tuple, sequences))
    shared = 0
    while shared < min(len(first), len(last)) and first[shared] == last[shared]:
        shared += 1
    return list(first[:shared])
