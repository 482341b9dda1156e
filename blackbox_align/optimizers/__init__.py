"""Gradient-free optimizers behind one contract: arrays in, arrays out.

>>> optimizer = create("cma", dimension=100, rng=numpy.random.default_rng(0))
>>> candidates = optimizer.ask()
>>> optimizer.tell(candidates, [Evaluation(loss(c.vector)) for c in candidates])
>>> optimizer.recommend().vector
"""

from blackbox_align.optimizers.base import (
    Candidate,
    Capabilities,
    Evaluation,
    Optimizer,
)
from blackbox_align.optimizers.registry import Description, create, describe, names

__all__ = [
    "Candidate",
    "Capabilities",
    "Description",
    "Evaluation",
    "Optimizer",
    "create",
    "describe",
    "names",
]
