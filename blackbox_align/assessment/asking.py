"""Asking a survey of any length in batches, under several adapters at once, in orders of the options."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..adapters.adapter import Adapter
from ..engines.base import Answers, Engine
from ..errors import ModelError, OutOfMemoryError, SpecificationError, require_one_of
from ..results.names import counted
from ..surveys.opinions import with_labels
from ..surveys.sheet import ORDERS, Question, Sheet, asked, average, sheet
from ..surveys.survey import Survey

Array = NDArray[np.floating]

STYLES = {"letters": ("letters",), "digits": ("digits",), "both": ("letters", "digits"), "own": ()}
"""What options are called; ``own`` leaves them as the survey has them, ``both`` averages two answers."""
_MOST_PERMUTED = 5  # options; see :func:`..surveys.sheet.option_orders`


@dataclass(frozen=True)
class Asking:
    """How questions are put.

    Parameters
    ----------
    orders : one of :data:`..surveys.sheet.ORDERS`, over which answers are averaged
    labels : one of :data:`STYLES`
    batch : questions that are asked together, which bounds the memory; answers depend on it by float
        noise only
    on_batch : called with the number of questions after every batch
    """

    orders: str = "cyclic"
    labels: str = "letters"
    batch: int = 64
    on_batch: Callable[[int], None] | None = None

    def __post_init__(self) -> None:
        require_one_of("The orders", self.orders, ORDERS)
        require_one_of("The labels", self.labels, STYLES)
        if self.batch < 1:
            raise SpecificationError(f"A batch holds 1 question or more; not {self.batch}.")

    def surveys(self, survey: Survey) -> list[Survey]:
        """The survey under each style of labels."""
        return [with_labels(survey, style) for style in STYLES[self.labels]] or [survey]

    def describe(self, survey: Survey) -> str:
        """What was averaged over, in words to stand under a table."""
        both = " Options were called by letters and by digits, and the two answers averaged."
        return _describe_orders(survey, self.orders) + (both if self.labels == "both" else "")


def ask(
    engine: Engine, survey: Survey, adapters: Sequence[Adapter], asking: Asking | None = None
) -> tuple[Array, Array]:
    """Answer probabilities of every item under every adapter, averaged over orders and labels.

    Returns
    -------
    probabilities : (adapters, items, survey.width) float64; rows sum to 1, zeros behind an item's options
    mass : (adapters, items) share of the next token that is any label, NaN where that is not known

    Raises
    ------
    ModelError
        An answer is not a finite number, or memory ran out for a single question.
    """
    asking = asking or Asking()
    asked_as = [_ask(engine, labelled, adapters, asking) for labelled in asking.surveys(survey)]
    probabilities, mass = zip(*asked_as, strict=True)
    return np.mean(probabilities, axis=0), np.mean(mass, axis=0)


def unaskable(engine: Engine, survey: Survey, asking: Asking) -> dict[str, str]:
    """The items that this model cannot be asked, each with the reason."""
    refused: dict[str, str] = {}
    for labelled in asking.surveys(survey):
        reasons = engine.askable(sheet(labelled, "1"))
        for (number, _), reason in zip(asked(labelled, "1"), reasons, strict=True):
            if reason is not None:
                refused.setdefault(survey.items[number].id, reason)
    return refused


def left_out(refused: Mapping[str, str], where: str) -> str:
    """A sentence on what :func:`unaskable` found, left out ``where``."""
    return (
        f"{counted(len(refused), 'question')} left out of {where}, which this model cannot be asked: "
        f"{next(iter(refused.values()))}"
    )


def _ask(
    engine: Engine, survey: Survey, adapters: Sequence[Adapter], asking: Asking
) -> tuple[Array, Array]:
    given, mass = ask_questions(engine, survey, adapters, asking)
    return average(given, survey, asking.orders), _mean_mass(mass, survey, asking.orders)


def ask_questions(
    engine: Engine, survey: Survey, adapters: Sequence[Adapter], asking: Asking
) -> tuple[Array, Array]:
    """(adapters, questions, width) answers to the sheet of a survey, batch by batch, and (adapters,
    questions) masses; see :func:`ask`, which averages them.
    """
    questions = sheet(survey, asking.orders).questions
    given = np.zeros((len(adapters), len(questions), survey.width), np.float32)
    mass = np.zeros((len(adapters), len(questions)))
    for start in range(0, len(questions), asking.batch):
        some = questions[start : start + asking.batch]
        here = slice(start, start + len(some))
        for part, answers in _answer(engine, adapters, some):
            rows = slice(start + part.start, start + part.stop)
            given[:, rows, : answers.probabilities.shape[2]] = answers.probabilities
            mass[:, rows] = answers.mass
        if not np.isfinite(given[:, here]).all():
            raise ModelError(
                f"The model answers {survey.title} with numbers that are not finite. "
                "Try --dtype float32, and check its weights."
            )
        if asking.on_batch is not None:
            asking.on_batch(len(some) * len(adapters))
    return given, mass


def _answer(
    engine: Engine, adapters: Sequence[Adapter], questions: Sequence[Question]
) -> list[tuple[slice, Answers]]:
    """The answers of slices of ``questions``: one, or halves where memory ran out."""
    try:
        return [(slice(0, len(questions)), engine.answer(adapters, Sheet(tuple(questions))))]
    except OutOfMemoryError:
        if len(questions) == 1:
            raise
    half = len(questions) // 2
    behind = [
        (slice(part.start + half, part.stop + half), answers)
        for part, answers in _answer(engine, adapters, questions[half:])
    ]
    return [*_answer(engine, adapters, questions[:half]), *behind]


def _mean_mass(mass: Array, survey: Survey, orders: str) -> Array:
    """(adapters, items) from (adapters, questions)."""
    item = np.array([number for number, _ in asked(survey, orders)], dtype=int)
    total = np.zeros((len(survey.items), len(mass)))
    np.add.at(total, item, mass.T)
    return (total / np.bincount(item, minlength=len(survey.items))[:, None]).T


def _describe_orders(survey: Survey, orders: str) -> str:
    if orders == "1":
        return "Options were shown in one order, that of the source: no average over orders."
    if orders == "reversed":
        return "Answers are averaged over the order of the source and its reverse."
    rotated = sum(len(item.scale) > _MOST_PERMUTED for item in survey.items)
    if orders == "cyclic" or rotated == len(survey.items):
        return "Answers are averaged over all rotations of the options."
    tail = f" (all rotations for the {rotated:,} items with more than five)" if rotated else ""
    return f"Answers are averaged over all orders of the options{tail}."
