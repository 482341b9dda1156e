"""The signs that stand in front of options, of which a respondent writes down one.

Each has to be one token for a model, so that its probability can be compared with the others':
letters, or the digits 1 to 9. The codes that enter an item mean are another thing: see
:class:`.survey.Scale`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from .survey import Scale, Survey

LABELS = ("letters", "digits")
_SIGNS = {
    "letters": "Answer with one letter.",
    "digits": "Answer with one number.",
    "both": "Answer with the one sign in front of it.",
}
INSTRUCTIONS = {
    labels: f"Choose the answer that fits best. {sign}" for labels, sign in _SIGNS.items()
}
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def lettered(options: Sequence[str], codes: Sequence[float] | None = None) -> Scale:
    """A scale of options that are called A, B, ...; their codes are 1, 2, ... where none are given."""
    numbers = range(1, len(options) + 1) if codes is None else codes
    labels = tuple(LETTERS[: len(options)])
    return Scale("", labels, tuple(options), tuple(float(number) for number in numbers))


def with_labels(survey: Survey, labels: str) -> Survey:
    """A survey whose options are called by ``letters`` (A, B, ...) or ``digits`` (1, 2, ...).

    An item with more than nine options has letters all the same, because 10 is no single token.
    """
    used = set()
    items = []
    for item in survey.items:
        letters = labels == "letters" or len(item.scale) > 9
        signs = LETTERS if letters else "123456789"
        used.add("letters" if letters else "digits")
        scale = replace(item.scale, labels=tuple(signs[: len(item.scale)]))
        items.append(replace(item, scale=scale))
    instruction, new = survey.instruction, _SIGNS[used.pop() if len(used) == 1 else "both"]
    for sign in _SIGNS.values():
        if instruction.endswith(sign):
            instruction = instruction.removesuffix(sign) + new
            break
    return replace(survey, items=tuple(items), instruction=instruction)


def with_single_signs(survey: Survey) -> Survey:
    """The survey with letters for labels such as 10 or -2, which are several tokens; codes stay.

    It is done only where the instruction ends in a sentence that says what to answer with, so that
    the sentence can be changed as well.
    """
    long = {
        item.scale
        for item in survey.items
        if len(item.scale) <= len(LETTERS)
        and any(re.fullmatch(r"-?\d\d+|-\d", label) for label in item.scale.labels)
    }
    if not long or not survey.instruction.endswith(tuple(_SIGNS.values())):
        return survey
    items = []
    for item in survey.items:
        scale: Scale = item.scale
        if scale in long:
            scale = replace(scale, labels=tuple(LETTERS[: len(scale)]))
        items.append(replace(item, scale=scale))
    sign = _SIGNS["letters" if len(long) == len({item.scale for item in survey.items}) else "both"]
    instruction = survey.instruction
    for known in _SIGNS.values():
        instruction = (
            instruction.replace(known, sign) if instruction.endswith(known) else instruction
        )
    return replace(survey, items=tuple(items), instruction=instruction)
