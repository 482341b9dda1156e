"""A function of one's own as an objective: from answers to losses, or to residuals."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..errors import SpecificationError
from ..surveys import Survey
from ..surveys.own_loss import AnswersLoss, OwnLoss, name_of
from .base import known_mean

FUNCTION = "function:"
"""How an objective is written down that is a function: this, and its name."""


def is_function(name: str) -> bool:
    """Whether a part of an objective is a function, by how it is written down."""
    return re.fullmatch(rf"{FUNCTION}\w+", name) is not None


def written(
    objective: str | AnswersLoss | Mapping[str | AnswersLoss, float],
) -> tuple[str, AnswersLoss | None]:
    """An objective as it is written down, and the function in it, if there is one.

    >>> def evenness(answers): ...
    >>> written({"indices": 1.0, evenness: 0.5})[0]
    'indices+0.5*function:evenness'

    Raises
    ------
    SpecificationError
        There are two functions in a sum.
    """
    if isinstance(objective, str):
        return objective, None
    parts = dict(objective) if isinstance(objective, Mapping) else {objective: 1.0}
    functions = [part for part in parts if not isinstance(part, str)]
    if len(functions) > 1:
        names = " and ".join(map(name_of, functions))
        raise SpecificationError(
            f"An objective has one function of yours at most, which may call others; not {names}."
        )
    terms = [
        f"{weight!r}*{part if isinstance(part, str) else FUNCTION + name_of(part)}"
        for part, weight in parts.items()
    ]
    return "+".join(terms), functions[0] if functions else None


@dataclass(frozen=True, eq=False)
class FunctionObjective:
    """Scores answers by a function, which knows no country; see :class:`.base.Objective`.

    The outputs are its residuals, whose targets are 0.
    """

    own: OwnLoss
    in_points = 1.0

    @property
    def survey(self) -> Survey:
        return self.own.survey

    @cached_property
    def targets(self) -> np.ndarray:
        return np.zeros((1, len(self.own.rows(self.own.populations[0]))))

    def outputs(self, answers: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
        """(candidates, m); nothing is drawn."""
        return self.own.residuals(answers)

    def losses(self, outputs: np.ndarray) -> np.ndarray:
        """(1, candidates): the mean absolute residual, which of a loss is the loss itself."""
        return known_mean(np.abs(outputs))[None]

    def cotangent(self, answers: np.ndarray, country: int) -> np.ndarray:
        raise SpecificationError(
            f"{name_of(self.own.function)!r} has no derivatives for a search by gradients."
        )
