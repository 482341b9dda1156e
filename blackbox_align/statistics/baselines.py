"""Answers that need no model, and how sharp answers are: arrays in, arrays out.

The papers' own figures show why every score has to be read beside them. Published scores of un-prompted
models on GlobalOpinionQA lie below that of a *uniform* guess, and the mean answer of the *other*
countries beats every published system.

``sizes`` is (items,): the number of options of every item. Answers are (items, width), zeros behind an
item's options.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .distances import js_distance
from .mixtures import fit_weights

Array = NDArray[np.floating]
Whole = NDArray[np.integer]

# From nearly the likeliest option alone to nearly uniform.
TEMPERATURES = np.geomspace(0.1, 100.0, 61)
_FOLDS = 5


def offered(sizes: Whole, width: int | None = None) -> NDArray[np.bool_]:
    """(items, width) bool: which options an item has."""
    width = int(max(sizes, default=0)) if width is None else width
    return np.arange(width) < np.asarray(sizes)[:, None]


def uniform(sizes: Whole) -> Array:
    """(items, width): every option of an item alike."""
    there = offered(sizes)
    return there / there.sum(-1, keepdims=True)


def one_hot(positions: Whole, width: int) -> Array:
    """(items, width): one option of every item for certain; ``positions`` is (items,)."""
    answers = np.zeros((len(positions), width))
    answers[np.arange(len(positions)), positions] = 1.0
    return answers


def always(sizes: Whole, position: int) -> Array:
    """(items, width): the option at ``position`` of every item for certain; -1 is the last one."""
    sizes = np.asarray(sizes)
    column = np.minimum(position, sizes - 1) if position >= 0 else sizes + position
    return one_hot(column, int(sizes.max()))


def middle(sizes: Whole) -> Array:
    """(items, width): the middle option for certain; between two middle ones the answer is split."""
    sizes = np.asarray(sizes)
    width = int(sizes.max())
    return (one_hot((sizes - 1) // 2, width) + one_hot(sizes // 2, width)) / 2


def mode(shares: Array) -> Array:
    """(items, width): the likeliest option for certain; NaN rows stay NaN."""
    known = ~np.isnan(shares).any(-1)
    answers = np.full(shares.shape, np.nan)
    answers[known] = one_hot(shares[known].argmax(-1), shares.shape[-1])
    return answers


def known_mean(values: Array) -> Array:
    """(...): the mean of (populations, ...) over those that are known, NaN where none is."""
    known = ~np.isnan(values)
    total = np.where(known, values, 0.0).sum(0)
    return np.where(known.any(0), total / np.maximum(known.sum(0), 1), np.nan)


def mean_of_others(values: Array, own: int) -> Array:
    """(...): :func:`known_mean` of (populations, ...) over all but the row ``own``."""
    return known_mean(np.delete(values, own, axis=0))


def sharpened(answers: Array, temperature: float) -> Array:
    """(..., width): p^(1/T) scaled to sum to 1; what is 0 stays 0."""
    relative = answers / answers.max(-1, keepdims=True)  # so that a low T leaves one option
    powered = relative ** (1 / temperature)
    return np.asarray(powered / powered.sum(-1, keepdims=True))


def best_temperature(answers: Array, observed: Array) -> float:
    """The one of :data:`TEMPERATURES` with the smallest mean JS distance over (rows, width) answers."""
    return float(TEMPERATURES[_distances(answers, observed).mean(1).argmin()])


def mixture_of_others(others: Array, own: Array, known: NDArray[np.bool_], sizes: Whole) -> Array:
    """(items, width): the mixture of (populations, items, width) ``others`` that is nearest to ``own`` where
    that is ``known`` (items,); see :mod:`.mixtures`. NaN where nobody else was asked.

    The mean of those who were asked stands for a people who was not. Where nothing is known the weights
    are even.
    """
    here: NDArray[np.bool_] = np.asarray(~np.isnan(others).any(-1, keepdims=True))
    there: NDArray[np.bool_] = np.asarray(here.any(0))
    whole = np.where(here, others, np.nan_to_num(known_mean(others)))
    answers = np.where((known & there[:, 0])[:, None], own, np.nan)
    weights = np.full(len(others), 1 / max(1, len(others)))
    if not np.isnan(answers).all():
        there_only = np.where(offered(sizes, own.shape[1]), whole, np.nan)
        weights = fit_weights(there_only, answers).weights
    return np.where(there, np.tensordot(weights, whole, 1), np.nan)


def known_for(
    question: Whole, fit: NDArray[np.bool_] | None = None
) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Which rows are known, and which are answered by what is known of them, (rows,) bool each.

    Where some are there to be ``fit``, they serve all rows alike. Else questions are dealt out in the order
    in which they come, and every fifth is answered by the other four fifths: none by itself.

    Parameters
    ----------
    question : (rows,) the question of every row; one that comes in several rows is in one fold
    """
    if fit is not None and fit.any():
        yield fit, np.ones(len(fit), dtype=bool)
        return
    asked = np.asarray(question).tolist()
    number = {name: n % _FOLDS for n, name in enumerate(dict.fromkeys(asked))}
    fold = np.array([number[name] for name in asked], dtype=int)
    for part in range(fold.max(initial=-1) + 1):
        yield fold != part, fold == part


def tempered(
    answers: Array, observed: Array, question: Whole, fit: NDArray[np.bool_] | None = None
) -> Array:
    """(rows, width): ``answers`` at the temperature that suits known ones best; see :func:`known_for`.

    With a single question there is nothing to fit on, and the answers stay.
    """
    distances = _distances(answers, observed)
    made = np.array(answers, np.float64)
    for known, here in known_for(question, fit):
        if known.any():
            best = TEMPERATURES[distances[:, known].mean(1).argmin()]
            made[here] = sharpened(answers[here], float(best))
    return made


def _distances(answers: Array, observed: Array) -> Array:
    """(temperatures, rows): JS distances in nats of the answers at every temperature."""
    return np.stack([js_distance(sharpened(answers, t), observed) for t in TEMPERATURES])
