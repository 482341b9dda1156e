"""A decision: which experts answer, with what weights, and why."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..errors import SpecificationError
from ..results.plain import to_plain

Way = Literal["stated", "answers", "profile", "text", "gate"]


@dataclass(frozen=True)
class Considered:
    """An expert that was looked at: what speaks for it.

    ``distance`` is in the units of the way that measured it (L1 between embeddings for a text,
    nats an answer for known answers), None where nothing was measured; ``low`` and ``high`` bound
    the weight where an interval is known; ``words`` are those of the text that name the expert's
    people.
    """

    expert: str
    distance: float | None = None
    low: float | None = None
    high: float | None = None
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Decision:
    """Weights over experts and why; none is an abstention.

    Parameters
    ----------
    weights : expert name to its weight, each above 0, 1 in sum; empty where no expert is to answer
    way : which way to weights was taken
    because : sentences that say what led here, in the order in which it was weighed
    considered : the experts that were looked at, the nearest first
    change : sentences that say what it would take to decide otherwise

    Raises
    ------
    SpecificationError
        The weights are not positive, or do not sum to 1.
    """

    weights: Mapping[str, float]
    way: Way
    because: tuple[str, ...]
    considered: tuple[Considered, ...] = field(default=(), kw_only=True)
    change: tuple[str, ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        for expert, weight in self.weights.items():
            if not (math.isfinite(weight) and weight > 0):
                raise SpecificationError(
                    f"The weight of {expert} is {weight}; a weight is a number above 0, "
                    "and an expert without one is left out."
                )
        total = math.fsum(self.weights.values())
        if self.weights and abs(total - 1) > 1e-6:
            raise SpecificationError(f"The weights sum to {total:.6g}; they have to sum to 1.")
        heaviest_first = sorted(self.weights.items(), key=lambda item: -item[1])
        object.__setattr__(
            self, "weights", {name: float(weight) for name, weight in heaviest_first}
        )

    @property
    def abstains(self) -> bool:
        """Whether no expert is to answer."""
        return not self.weights

    def to_dict(self) -> dict[str, Any]:
        """The decision as plain values, which JSON can hold."""
        told = to_plain(self)
        for one in told["considered"]:
            one["weight"] = self.weights.get(one["expert"], 0.0)
        return {**told, "abstains": self.abstains}
