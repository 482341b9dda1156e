"""How much of a model's answers is the place of an option: scales asked straight and reversed.

Every item has two means, one asked with its options in the order of the survey and one with them
reversed; both are in the codes of the options, wherever they stood. A model that answers by what the
options say has the same mean twice; one that answers by their place has means that mirror each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..adapters.adapter import Adapter
from ..engines.base import Engine
from ..surveys.sheet import asked
from ..surveys.survey import Survey
from .asking import Asking, ask_questions

Array = NDArray[np.floating]

ORDERS = "reversed"
_MOST_ITEMS = 100  # of a longer survey, evenly: as good for a correlation
_LEAST = 1e-6  # of a scale's half: item means that vary by less do not vary


@dataclass(frozen=True)
class PositionBias:
    """What the direction of the scales does to the answers to ``survey``.

    Attributes
    ----------
    correlation : Pearson's, over items, of the means asked straight and reversed: 1 where the place of an
        option plays no part, -1 where the answers differ from item to item by place alone; NaN where the
        means do not vary
    share : the part of what sets the means apart from the middles of their scales that turns around with
        the scale: sum d^2 / sum (d^2 + s^2), where d is half the difference and s half the sum of an
        item's two distances from the middle; 0 without such a bias, 1 with nothing else, NaN where all
        means are in the middle
    items : how many items of two options or more there are
    """

    survey: str
    correlation: float
    share: float
    items: int

    @property
    def mostly_position(self) -> bool:
        """Whether place outweighs content: from item to item (the correlation is below 0, which is the
        case where the part that turns around varies more than the part that stays), or altogether
        (``share`` is above one half).
        """
        return bool(self.correlation < 0 or self.share > 0.5)

    def describe(self) -> str:
        """A sentence with the figures, and a warning where the answers are mostly position."""
        correlation = "undefined" if np.isnan(self.correlation) else f"{self.correlation:+.2f}"
        share = (
            "" if np.isnan(self.share) else f" (position makes {100 * self.share:.0f} % of them)"
        )
        told = (
            f"Position bias, un-prompted: over the {self.items} items of {self.survey} the means asked "
            f"straight and reversed correlate at {correlation}{share}."
        )
        if not self.mostly_position:
            return told
        return (
            f"{told} These answers are mostly the place of an option, not what it says: read nothing that "
            "was asked in one order."
        )


def position_bias(
    engine: Engine, survey: Survey, adapter: Adapter | None = None, *, batch: int = 64
) -> PositionBias:
    """Ask ``survey`` in both directions of every scale, ``batch`` questions at a time, and compare.

    Of a survey of more than 100 items every second, third, ... one is asked.

    Raises
    ------
    ModelError
        The model cannot be asked, or answers with numbers that are not finite.
    """
    step = -(-len(survey.items) // _MOST_ITEMS)
    survey = replace(survey, items=survey.items[::step], indices=()) if step > 1 else survey
    given, _ = ask_questions(engine, survey, [adapter or Adapter()], Asking(ORDERS, "own", batch))
    return compare_directions(both_directions(given, survey)[0], survey)


def both_directions(probabilities: Array, survey: Survey) -> Array:
    """(P, 2, items, width) answers asked straight and reversed, from those to the sheet of both.

    An item of one option has but one direction, and the same answer twice.
    """
    answers = np.zeros((len(probabilities), 2, len(survey.items), survey.width))
    seen: set[int] = set()
    for column, (item, order) in enumerate(asked(survey, ORDERS)):
        rows = probabilities[:, column, : len(order)]
        for direction in (1,) if item in seen else (0, 1):
            answers[:, direction, item, list(order)] = rows
        seen.add(item)
    return answers


def compare_directions(answers: Array, survey: Survey) -> PositionBias:
    """The bias in (2, items, width) answers, asked straight and reversed."""
    means = [
        [_place(rows, item.scale.codes) for rows, item in zip(one, survey.items, strict=True)]
        for one in answers
    ]
    several = np.array([len(set(item.scale.codes)) > 1 for item in survey.items])
    straight, turned = np.array(means)[:, several]
    share = float("nan")
    stays, turns = ((straight + turned) / 2) ** 2, ((straight - turned) / 2) ** 2
    if (stays + turns).max(initial=0.0) > _LEAST**2:
        share = float(turns.sum() / (stays + turns).sum())
    correlation = float("nan")
    if len(straight) > 1 and min(straight.std(), turned.std()) > _LEAST:
        correlation = float(np.corrcoef(straight, turned)[0, 1])
    return PositionBias(survey.title, correlation, share, int(several.sum()))


def _place(shares: Array, codes: Sequence[float]) -> float:
    """The mean answer as its place on the scale: -1 and 1 are the ends, so that scales compare."""
    values = np.array(codes)
    half = (values.max() - values.min()) / 2 or 1.0
    return float(shares[: len(values)] @ (values - (values.max() + values.min()) / 2) / half)
