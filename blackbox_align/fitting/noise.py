"""How well a precision hears: what rounding does to indices and losses, beside what a prompt does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..adapters import Adapter, from_vocabulary
from ..adapters.adapter import SoftPrompt, check_placement
from ..engines import Engine
from ..engines.rounding import neighbour, noise_and_moves
from .data import NOISE, generator
from .problem import Problem

_PROMPTS = 3
HEARD = 1 / 3
"""A search that hears well has noise of at most this share of what random words as a prompt move."""


@dataclass(frozen=True)
class Noise:
    """Root mean squares of what rounding does, and of what random words as a prompt do.

    ``points`` and ``moves_points`` are of an index, in points (NaN without indices), the others of the loss;
    ``moves`` are standard deviations over prompts.
    """

    dtype: str
    points: float
    loss: float
    moves_points: float
    moves_loss: float

    @property
    def heard(self) -> bool:
        """Whether the loss tells random words apart in spite of the noise; what is NaN does not."""
        return self.loss <= HEARD * self.moves_loss

    def describe(self) -> str:
        """One sentence, and where the noise is large a second one."""
        noise, moves = f"the loss by {self.loss:.2g}", f"it by {self.moves_loss:.2g}"
        if not np.isnan(self.points):
            noise = f"an index by {self.points:.2g} points and {noise}"
            moves = f"them by {self.moves_points:.2g} and {self.moves_loss:.2g}"
        said = f"Rounding in {self.dtype} moves {noise}; random words as a prompt move {moves}."
        if self.heard:
            return said
        other = " or --dtype float16" if self.dtype == "bfloat16" else ""
        return (
            f"{said} That is more than a third: this precision hardly hears a prompt; try --dtype "
            f"float32{other}."
        )

    def to_facts(self) -> dict[str, Any]:
        return {
            k: None if isinstance(v, float) and np.isnan(v) else v for k, v in asdict(self).items()
        }

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Noise:
        known: dict[str, Any] = {k: np.nan if v is None else v for k, v in facts.items()}
        return cls(**known)


def measure_noise(engine: Engine, problem: Problem) -> Noise | None:
    """The noise of an engine's precision in a problem; None for what is no model of torch's."""
    if "read" not in engine.info.can:
        return None
    settings, dtype = problem.specification, engine.info.dtype
    rng, place = generator(settings, NOISE), check_placement(settings.placement)
    size = engine.info.vocabulary
    words = [from_vocabulary(engine, settings.length, size, rng) for _ in range(_PROMPTS)]
    adapters = [Adapter(prompt=SoftPrompt(vectors, place)) for vectors in words]
    again = [neighbour(adapter, dtype) for adapter in adapters]
    answers = engine.answer([*adapters, *again], problem.sheet)
    outputs = problem.objective.outputs(problem.arranged(answers.probabilities))
    losses = problem.objective.losses(outputs).mean(axis=0) + problem.penalties(answers.divergence)
    points = (np.nan, np.nan)
    if problem.index_objective is not None:
        points = noise_and_moves(outputs["indices"])
    loss = noise_and_moves(losses[:, None])
    return Noise(dtype, points[0], loss[0], points[1], loss[1])


def heard(facts: Mapping[str, Any]) -> tuple[str, ...]:
    """A sentence on the noise that a run measured before its search; none where it measured none."""
    return (Noise.from_facts(facts["noise"]).describe(),) if "noise" in facts else ()
