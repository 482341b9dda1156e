"""Minimise a function of one's own with any optimizer: the loop of a fit without a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import SpecificationError
from ..optimizers import Evaluation, create
from .search import Batch, Standing, search
from .stopping import Stopping

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Minimum:
    """What :func:`minimize` found.

    ``vector`` (d,) is the best one evaluated and ``loss`` its loss; ``losses`` (evaluations,) are all of
    them in order, NaN where the function failed; ``reason`` says why the search ended.
    """

    vector: Array
    loss: float
    losses: Array
    reason: str

    @property
    def evaluations(self) -> int:
        return len(self.losses)


def minimize(
    function: Callable[[Array], Array],
    dimension: int,
    *,
    optimizer: str = "gauss-newton",
    options: Mapping[str, Any] | None = None,
    budget: int = 2000,
    target_loss: float = 0.0,
    patience: int | None = None,
    seconds: float | None = None,
    seed: int | np.random.Generator = 0,
) -> Minimum:
    """Minimise ``function`` over vectors of ``dimension`` numbers.

    >>> target = np.array([1.0, -2.0, 3.0])
    >>> minimize(lambda vectors: vectors - target, 3, budget=60, target_loss=0.01).loss < 0.01
    True

    Parameters
    ----------
    function : from (P, dimension) vectors to (P, m) residuals, whose mean absolute value is the loss, or
        to (P,) losses, which suffice for searches that see nothing else. What is not finite is a
        failed evaluation. A search starts at 0, and 1 per coordinate is a natural first step
    optimizer, options : a registered name and that algorithm's own options
    budget, target_loss, patience, seconds : see :class:`.stopping.Stopping`
    seed : a number, or the generator itself

    Raises
    ------
    SpecificationError
        ``function`` gives an array of another shape.
    OptimizerError
        The optimizer learns from residuals and ``function`` gives losses.
    RunError
        Not one evaluation succeeds.
    """
    stopping = Stopping(budget, target_loss, patience, seconds)
    rng = np.random.default_rng(seed)
    searcher = create(optimizer, dimension, rng, budget=budget, **(options or {}))
    standing = Standing(1, dimension, stopping)
    losses: list[float] = []

    def evaluate(vectors: Array, first: int) -> Batch:
        batch = _scored(vectors, np.asarray(function(vectors), dtype=np.float64))
        losses.extend(batch.losses[0].tolist())
        return batch

    reason = search(evaluate, searcher, standing)
    return Minimum(standing.vectors[0], float(standing.best[0]), np.array(losses), reason)


def _scored(vectors: Array, found: Array) -> Batch:
    """What a function gave for vectors: residuals (P, m) or losses (P,)."""
    if found.ndim not in (1, 2) or len(found) != len(vectors) or found[0].size == 0:
        raise SpecificationError(
            f"The function must give {len(vectors)} losses, or so many rows of residuals, for "
            f"{len(vectors)} vectors; not an array of shape {found.shape}."
        )
    residuals = found if found.ndim == 2 else None
    values = found if residuals is None else np.abs(residuals).mean(axis=1)
    values = np.where(np.isfinite(values), values, np.nan)
    evaluations = [
        Evaluation.failed("the function gives no finite number")
        if np.isnan(value)
        else Evaluation(float(value), None if residuals is None else residuals[row])
        for row, value in enumerate(values)
    ]
    return Batch(vectors, values[None], evaluations)
