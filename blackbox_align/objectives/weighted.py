"""One loss of several objectives, as it is written down: ``indices``, ``indices+0.5*opinions``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import SpecificationError
from ..surveys import Survey
from .base import Objective
from .function import is_function

INDICES, OPINIONS = "indices", "opinions"
NAMES = (INDICES, OPINIONS)
_ALSO = {"vsm13": INDICES}  # how it was called before surveys could bring indices of their own


def parse_objective(text: str) -> dict[str, float]:
    """The weight of every objective in a sum such as ``indices+0.5*opinions``."""
    weights: dict[str, float] = {}
    for term in text.replace(" ", "").split("+"):
        factor, star, name = term.rpartition("*")
        name = _ALSO.get(name, name)
        try:
            weight = float(factor) if star else 1.0
        except ValueError:
            weight = 0.0
        known = name in NAMES or is_function(name)
        if not known or name in weights or not 0 < weight < np.inf:
            raise SpecificationError(
                "The objective must be 'indices', 'opinions', or a sum of both with weights above 0, "
                f"such as 'indices+0.5*opinions'; not {text!r}. In Python it may be a function, too."
            )
        weights[name] = weight
    return weights if len(weights) > 1 else dict.fromkeys(weights, 1.0)


def describe_objective(weights: Mapping[str, float]) -> str:
    """The sum as :func:`parse_objective` reads it."""
    return "+".join(name if w == 1 else f"{w:g}*{name}" for name, w in weights.items())


@dataclass(frozen=True)
class WeightedSum:
    """The sum of the losses of ``parts``, times their ``weights``.

    A part alone keeps its own unit; in a sum all are in index points (see
    :attr:`.base.Objective.in_points`). In the least squares every part enters with the *mean* of
    its squares, however many residuals it has.
    """

    parts: Mapping[str, Objective]
    weights: Mapping[str, float]

    @property
    def surveys(self) -> tuple[Survey, ...]:
        """What is asked, one survey after another; parts that ask the same one share its answers."""
        return tuple({id(part.survey): part.survey for part in self.parts.values()}.values())

    def _columns(self) -> Iterator[tuple[str, Objective, slice]]:
        """Every part, and where in the answers to all surveys its own are."""
        starts, start = {}, 0
        for survey in self.surveys:
            starts[id(survey)] = start
            start += len(survey.items)
        for name, part in self.parts.items():
            first = starts[id(part.survey)]
            yield name, part, slice(first, first + len(part.survey.items))

    @property
    def targets(self) -> np.ndarray:
        """(countries, m)."""
        return self._side_by_side([part.targets for part in self.parts.values()])

    def outputs(
        self, answers: np.ndarray, rng: np.random.Generator | None = None
    ) -> dict[str, np.ndarray]:
        """The outputs of every part from (candidates, items of all surveys, largest width)."""
        return {
            name: part.outputs(answers[:, here, : part.survey.width], rng)
            for name, part, here in self._columns()
        }

    def cotangent(self, answers: np.ndarray, country: int) -> np.ndarray:
        """(candidates, items of all surveys, largest width); see :meth:`.base.Objective.cotangent`."""
        slopes = np.zeros(answers.shape)
        for name, part, here in self._columns():
            own = part.cotangent(answers[:, here, : part.survey.width], country)
            slopes[:, here, : part.survey.width] += self._factor(name) * own
        return slopes

    def stacked(self, outputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """(candidates, m): what minus ``targets`` are the residuals."""
        return self._side_by_side([outputs[name] for name in self.parts])

    def losses(self, outputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """(countries, candidates)."""
        return self.weigh(self.each(outputs))

    def weigh(self, losses: Mapping[str, Any]) -> Any:
        """The sum of the parts' own losses, arrays or numbers alike."""
        return sum(self._factor(name) * losses[name] for name in self.parts)

    def each(self, outputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """(countries, candidates) losses of every part, in its own unit."""
        return {name: part.losses(outputs[name]) for name, part in self.parts.items()}

    def _factor(self, name: str) -> float:
        return self.weights[name] * self.parts[name].in_points if len(self.parts) > 1 else 1.0

    def _side_by_side(self, blocks: Sequence[np.ndarray]) -> np.ndarray:
        widths = [block.shape[1] for block in blocks]
        return np.concatenate(
            [
                self._factor(name) * np.sqrt(sum(widths) / width) * block
                for name, width, block in zip(self.parts, widths, blocks, strict=True)
            ],
            axis=1,
        )
