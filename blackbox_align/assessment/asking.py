"""Asking a survey of any length in batches, with the options in several orders.

Models prefer some labels and some places. Every order of the options in turn, and the mean over
them, takes most of that out (Zheng et al. 2024, "Large Language Models Are Not Robust Multiple
Choice Selectors").
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice, permutations

import numpy as np

from ..engines import Evaluator
from ..errors import ModelError, SpecificationError
from ..surveys.survey import Item, Scale, Survey

ORDERS = ("1", "cyclic", "all")
_MOST_PERMUTED = 5  # options; one more would be 720 orders
# Probabilities are averaged as multiples of this, so that the sum is exact and no order comes first.
_GRAIN = 2.0**-40


def option_orders(options: int, orders: str) -> list[tuple[int, ...]]:
    """The orders in which an item with so many options is asked.

    ``1`` is the order of the file, ``cyclic`` every rotation of it, ``all`` every permutation for
    up to five options and every rotation beyond.
    """
    if orders not in ORDERS:
        known = ", ".join(repr(name) for name in ORDERS)
        raise SpecificationError(f"The orders must be one of {known}; not {orders!r}.")
    plain = tuple(range(options))
    if orders == "1":
        return [plain]
    if orders == "all" and options <= _MOST_PERMUTED:
        return list(permutations(plain))
    return [plain[start:] + plain[:start] for start in plain]


def describe_orders(survey: Survey, orders: str) -> str:
    """What was averaged over, as a sentence to stand under a table."""
    if orders == "1":
        return "Options were shown in one order, that of the source: no average over orders."
    rotated = sum(len(item.scale) > _MOST_PERMUTED for item in survey.items)
    if orders == "cyclic" or rotated == len(survey.items):
        return "Answers are averaged over all rotations of the options."
    tail = f" (all rotations for the {rotated:,} items with more than five)" if rotated else ""
    return f"Answers are averaged over all orders of the options{tail}."


def ask(
    evaluator: Evaluator,
    survey: Survey,
    soft_prompt: np.ndarray,
    *,
    orders: str = "cyclic",
    batch: int = 64,
    on_batch: Callable[[int], None] | None = None,
) -> np.ndarray:
    """Answer probabilities of every item, averaged over orders of its options.

    Parameters
    ----------
    soft_prompt : (tokens, D) float32; no tokens are un-prompted
    batch : questions that are asked together, which bounds the memory; the answers depend on it by
        float noise only
    on_batch : called with the number of questions after every batch

    Returns
    -------
    (items, survey.width) float64; rows sum to 1, zeros behind an item's options.

    Raises
    ------
    ModelError
        An answer is not a finite number, or memory ran out for a single question.
    """
    if batch < 1:
        raise SpecificationError(f"A batch holds 1 question or more; not {batch}.")
    total = np.zeros((len(survey.items), survey.width))
    count = np.array([len(option_orders(len(item.scale), orders)) for item in survey.items])
    questions = iter(_questions(survey, orders))
    while chunk := list(islice(questions, batch)):
        asked = [
            replace(survey.items[n], scale=_reordered(survey.items[n].scale, order))
            for n, order in chunk
        ]
        answers = _answer(evaluator, survey, asked, soft_prompt)
        for (item, order), row in zip(chunk, answers, strict=True):
            total[item, list(order)] += np.round(row[: len(order)] / _GRAIN) * _GRAIN
        if on_batch is not None:
            on_batch(len(chunk))
    mean = total / count[:, None]
    return mean / mean.sum(-1, keepdims=True)


def count_questions(survey: Survey, orders: str) -> int:
    """How many questions :func:`ask` puts to the model."""
    if orders == "all":
        sizes = (len(item.scale) for item in survey.items)
        return sum(math.factorial(k) if k <= _MOST_PERMUTED else k for k in sizes)
    return sum(len(item.scale) if orders == "cyclic" else 1 for item in survey.items)


def _questions(survey: Survey, orders: str) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Every item in every order; those that show the same scale follow on each other.

    They share their opening, which the evaluator then computes once.
    """
    by_scale: dict[Scale, list[int]] = {}
    for number, item in enumerate(survey.items):
        by_scale.setdefault(item.scale, []).append(number)
    for scale, numbers in by_scale.items():
        for order in option_orders(len(scale), orders):
            for number in numbers:
                yield number, order


def _reordered(scale: Scale, order: Sequence[int]) -> Scale:
    """The labels where they were, the options in another order."""
    return replace(scale, options=tuple(scale.options[n] for n in order))


def _answer(
    evaluator: Evaluator, survey: Survey, items: list[Item], soft_prompt: np.ndarray
) -> np.ndarray:
    """(items, width) float64; a batch that does not fit into memory is halved."""
    part = replace(survey, items=tuple(items), indices=())
    try:
        answers = evaluator.answer(np.asarray(soft_prompt, np.float32)[None], part)
    except ModelError as error:
        if len(items) == 1 or "Memory ran out" not in str(error):
            raise
        half = len(items) // 2
        first, second = (
            _answer(evaluator, survey, some, soft_prompt) for some in (items[:half], items[half:])
        )
        width = max(first.shape[1], second.shape[1])
        padded = [np.pad(rows, ((0, 0), (0, width - rows.shape[1]))) for rows in (first, second)]
        return np.concatenate(padded)
    if not np.isfinite(answers).all():
        raise ModelError(
            f"The model answers {survey.title} with numbers that are not finite. "
            "Try --dtype float32, and check its weights."
        )
    return np.asarray(answers[0], np.float64)
