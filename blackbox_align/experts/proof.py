"""The proof of an expert: asked in one pass it answers as it does when it is asked plainly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..adapters.adapter import Adapter
from ..engines.base import PARITY, Engine
from ..engines.rounding import neighbour
from ..surveys.sheet import Sheet

_TIMES = 4.0


@dataclass(frozen=True)
class Proof:
    """The largest ``difference`` in a label's probability between two ways of asking, over all of
    ``questions``, and what is ``allowed`` in this precision.
    """

    difference: float
    allowed: float
    dtype: str
    questions: int

    @property
    def holds(self) -> bool:
        return self.difference <= self.allowed  # NaN is no proof


def prove(engine: Engine, adapter: Adapter, sheet: Sheet) -> Proof:
    """Ask all questions in one pass, and one by one with nothing shared, and compare.

    Allowed is what precisions usually make of it; or, under a prompt that makes more of rounding, four times
    what the plain way makes of the prompt's neighbour: no right way could do better.

    Raises
    ------
    ModelError
        The engine cannot be asked.
    """
    together = engine.answer([adapter], sheet).probabilities
    plainly = engine.answer([adapter], sheet, plainly=True).probabilities
    dtype = engine.info.dtype
    difference = float(np.abs(together.astype(np.float64) - plainly).max(initial=0.0))
    allowed = PARITY[dtype]
    if not difference <= allowed and np.isfinite(difference):
        near = engine.answer([neighbour(adapter, dtype)], sheet, plainly=True).probabilities
        rounding = float(np.abs(near.astype(np.float64) - plainly).max(initial=0.0))
        allowed = max(allowed, _TIMES * rounding)
    return Proof(difference, allowed, dtype, len(sheet.questions))
