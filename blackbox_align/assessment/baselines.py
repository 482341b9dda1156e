"""What can be had without a model: the rows that every score has to be read beside.

The papers' own figures show why. Published scores of un-prompted models on GlobalOpinionQA lie
below that of a *uniform* guess, and the mean answer of the *other* countries beats every published
system.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..statistics.distances import js_distance
from ..surveys.opinions import OpinionSurvey
from ..surveys.survey import Survey

# From nearly the likeliest option alone to nearly uniform.
TEMPERATURES = np.geomspace(0.1, 100.0, 61)


def offered(survey: Survey) -> np.ndarray:
    """(items, width) bool: which options an item has."""
    counts = np.array([len(item.scale) for item in survey.items])
    return np.arange(survey.width) < counts[:, None]


def uniform(survey: Survey) -> np.ndarray:
    """(items, width): every option of an item alike."""
    there = offered(survey)
    return there / there.sum(-1, keepdims=True)


def always(survey: Survey, position: int) -> np.ndarray:
    """(items, width): the option at ``position`` of every item for certain; -1 is the last one."""
    counts = offered(survey).sum(-1)
    column = np.minimum(position, counts - 1) if position >= 0 else counts + position
    answers = np.zeros((len(counts), survey.width))
    answers[np.arange(len(counts)), column] = 1.0
    return answers


def middle(survey: Survey) -> np.ndarray:
    """(items, width): the middle option for certain; in VSM 2013 that is "all threes".

    Between two middle options the answer is split.
    """
    counts = offered(survey).sum(-1)
    return (always_at(survey, (counts - 1) // 2) + always_at(survey, counts // 2)) / 2


def always_at(survey: Survey, positions: np.ndarray) -> np.ndarray:
    """(items, width): one option of every item for certain; ``positions`` is (items,)."""
    answers = np.zeros((len(survey.items), survey.width))
    answers[np.arange(len(positions)), positions] = 1.0
    return answers


def mean_of_others(opinions: OpinionSurvey, everyone: OpinionSurvey) -> np.ndarray:
    """(distributions, width): the mean answer to the item in the samples of all other countries.

    NaN where nobody else was asked. ``everyone`` is where the others are looked up; every *country*
    counts once, whatever the number of its samples.
    """
    by_item: dict[str, dict[str, list[np.ndarray]]] = {}
    for distribution, row in zip(everyone.distributions, everyone.shares(), strict=True):
        if distribution.sample.kind == "region":  # it holds countries that are there themselves
            continue
        countries = by_item.setdefault(distribution.item, {})
        countries.setdefault(distribution.sample.country, []).append(row)
    width = opinions.survey.width
    prediction = np.full((len(opinions), width), np.nan)
    for place, distribution in zip(prediction, opinions.distributions, strict=True):
        others = [
            np.mean(rows, axis=0)
            for country, rows in by_item[distribution.item].items()
            if country != distribution.sample.country
        ]
        if others:
            place[:] = np.mean(others, axis=0)[:width]
    return prediction


def tempered(
    prediction: np.ndarray, observed: np.ndarray, items: Sequence[str], folds: int = 5
) -> np.ndarray:
    """(distributions, width): ``prediction`` at the temperature that suits it best.

    A prediction p becomes p^(1/T), scaled to sum to 1. T is the one of :data:`TEMPERATURES` with the
    smallest mean JS distance on the *other* questions: items are dealt into ``folds``, and each is
    answered at the T of the rest. So no question is scored at a temperature that it was fitted on.
    With a single item there is nothing to fit on, and the prediction stays.
    """
    names = {name: n for n, name in enumerate(dict.fromkeys(items))}
    fold = np.array([names[item] % folds for item in items], dtype=int)
    result = np.array(prediction, np.float64)
    distances = np.stack([js_distance(at(prediction, t), observed) for t in TEMPERATURES])
    for number in range(folds):
        here = fold == number
        if here.any() and not here.all():
            best = TEMPERATURES[np.nanmean(distances[:, ~here], axis=1).argmin()]
            result[here] = at(prediction[here], best)
    return result


def at(prediction: np.ndarray, temperature: float) -> np.ndarray:
    """(..., width): p^(1/T) scaled to sum to 1; what is 0 stays 0."""
    relative = prediction / prediction.max(-1, keepdims=True)  # so that a low T leaves one option
    sharpened = relative ** (1 / temperature)
    return sharpened / sharpened.sum(-1, keepdims=True)
