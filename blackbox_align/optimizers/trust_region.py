"""How long a next step may be: as long as a model's promises were kept.

Conn, Gould & Toint 2000, "Trust-Region Methods", algorithm 6.1.1. The radius grows also where a step ended
within it: a model that bends where the outputs do stops its steps itself.

>>> promise = Promise(id=6, loss=10.0, left=0.8)  # two of ten points
>>> factor(promise, 8.1), factor(promise, 9.5), factor(promise, 9.9)
(1.6, 1.0, 0.6)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from blackbox_align.optimizers.base import Array
from blackbox_align.optimizers.gaussian_process import GaussianProcess

GOOD, POOR = 0.5, 0.1  # shares of a promised gain
WIDER, NARROWER = 1.6, 0.6
TINY = 1e-300


class Promise(NamedTuple):
    """What a model says of a step: the ``id`` of its candidate, the ``loss`` that it leaves from, and what
    share of that is ``left`` behind it."""

    id: int
    loss: float
    left: float

    @classmethod
    def of(cls, id: int, loss: float, model: GaussianProcess, beta: Array) -> Promise:
        """That of a step ``beta`` from where the ``model`` is seen from."""
        here, there = (model.predict(b)[0] for b in (np.zeros_like(beta), beta))
        left = float(np.abs(there).mean() / max(float(np.abs(here).mean()), TINY))
        return cls(id, loss, left)


def factor(promise: Promise | None, loss: float | None) -> float:
    """By what to multiply the radius where the step came to ``loss``; None is a failed evaluation."""
    if promise is None or promise.left >= 1:
        return 1.0
    gain = 0.0 if loss is None else 1 - loss / max(promise.loss, TINY)
    kept = gain / (1 - promise.left)
    if kept < POOR:
        return NARROWER
    return WIDER if kept > GOOD else 1.0
