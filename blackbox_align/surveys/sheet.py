"""What a model is asked in one pass: questions in orders of their options, and texts that it only reads.

Models prefer some labels and some places. Asked in several orders of the options and averaged, most of
that goes out (Zheng et al. 2024, "Large Language Models Are Not Robust Multiple Choice Selectors").
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations

import numpy as np

from ..errors import require_one_of
from .survey import Scale, Survey

ORDERS = ("1", "reversed", "cyclic", "all")
_MOST_PERMUTED = 5  # options; one more would be 720 orders
# Probabilities are averaged as multiples of this, so that the sum is exact and no order comes first.
_GRAIN = 2.0**-40


@dataclass(frozen=True)
class Question:
    """One item in one order of its options: the ``text`` as it is read, the ``labels`` that answer it."""

    text: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Sheet:
    """All that a candidate is asked in one pass.

    ``texts`` are pairs of a context and a continuation that the model only reads.
    """

    questions: tuple[Question, ...]
    texts: tuple[tuple[str, str], ...] = ()

    @property
    def width(self) -> int:
        """The largest number of labels of any question."""
        return max((len(question.labels) for question in self.questions), default=0)

    @cached_property
    def digest(self) -> str:
        """A hash of all that is asked, in this order."""
        asked = [[[q.text, q.labels] for q in self.questions], self.texts]
        return hashlib.sha256(json.dumps(asked, ensure_ascii=False).encode()).hexdigest()


def option_orders(options: int, orders: str) -> list[tuple[int, ...]]:
    """The orders in which an item with so many options is asked.

    ``1`` is the order of the file, ``reversed`` that and its reverse, ``cyclic`` every rotation,
    ``all`` every permutation for up to five options and every rotation beyond.
    """
    require_one_of("The orders", orders, ORDERS)
    plain = tuple(range(options))
    if orders == "1" or options < 2:
        return [plain]
    if orders == "reversed":
        return [plain, plain[::-1]]
    if orders == "all" and options <= _MOST_PERMUTED:
        return list(permutations(plain))
    return [plain[start:] + plain[:start] for start in plain]


def sheet(survey: Survey, orders: str = "1", texts: Sequence[tuple[str, str]] = ()) -> Sheet:
    """Every item of ``survey`` in all its orders; see :func:`asked` for which question is which."""
    items = [(survey.items[number], order) for number, order in asked(survey, orders)]
    questions = [Question(survey.question(i, order), i.scale.labels) for i, order in items]
    return Sheet(tuple(questions), tuple(texts))


def asked(survey: Survey, orders: str) -> Iterator[tuple[int, tuple[int, ...]]]:
    """The item and the order of its options of every question of :func:`sheet`.

    Items on one scale follow on each other: in the same order they share their opening, which an
    engine then computes once.
    """
    by_scale: dict[Scale, list[int]] = {}
    for number, item in enumerate(survey.items):
        by_scale.setdefault(item.scale, []).append(number)
    for scale, numbers in by_scale.items():
        for order in option_orders(len(scale), orders):
            for number in numbers:
                yield number, order


def spread(derivatives: np.ndarray, survey: Survey, orders: str) -> np.ndarray:
    """The transpose of :func:`average`: from derivatives by averaged answers to those by what was asked.

    (candidates, items, survey.width) to (candidates, questions, survey.width) float64. That averages are
    divided by their sum, which is 1 but for rounding, plays no part.
    """
    columns = list(asked(survey, orders))
    count = np.bincount([item for item, _ in columns], minlength=len(survey.items))
    given = np.zeros((len(derivatives), len(columns), survey.width))
    for column, (item, order) in enumerate(columns):
        given[:, column, : len(order)] = derivatives[:, item, list(order)] / count[item]
    return given


def average(probabilities: np.ndarray, survey: Survey, orders: str) -> np.ndarray:
    """Answers item by item, averaged over orders of the options.

    Parameters
    ----------
    probabilities : (candidates, questions, width) float, as an engine answers :func:`sheet`

    Returns
    -------
    (candidates, items, survey.width) float64; rows sum to 1, zeros behind an item's options, NaN where
    an answer is not finite. The sum is exact: no order comes first.
    """
    given = np.asarray(probabilities, np.float64)
    total = np.zeros((len(given), len(survey.items), survey.width))
    count = np.zeros(len(survey.items))
    for column, (item, order) in enumerate(asked(survey, orders)):
        rows = given[:, column, : len(order)]
        total[:, item, list(order)] += np.round(rows / _GRAIN) * _GRAIN
        count[item] += 1
    mean = total / count[:, None]
    return np.asarray(mean / mean.sum(-1, keepdims=True))
