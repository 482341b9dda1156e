"""Several results of one kind side by side: over seeds, or over indices that were held out in turn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import SpecificationError
from .names import FITTED
from .result import Figure, Result
from .tables import ERROR

_RESAMPLES = 2000


def spread(results: Sequence[Result]) -> Result:
    """One cell over its seeds: every figure's mean, with the smallest and the largest as its ends.

    ``n`` is how many results have the figure; one that some of them lack is left out, and so are answers
    item by item. One search is a draw: what it found is told from luck by the others.
    """
    if not results:
        raise SpecificationError("A spread needs a result or more.")
    found: dict[tuple[str, ...], list[Figure]] = {}
    for result in results:
        for f in result.figures:
            key = (f.population, f.condition, f.metric, f.split, f.minus, f.instrument)
            found.setdefault(key, []).append(f)
    figures = []
    for several in found.values():
        values = np.array([f.value for f in several])
        if len(several) == len(results) and np.isfinite(values).all():
            ends = float(values.mean()), float(values.min()), float(values.max())
            value, low, high = ends
            figures.append(
                replace(several[0], value=value, low=low, high=high, n=len(values), p=math.nan)
            )
    seeds = sorted({r.search.seed for r in results if r.search})
    listed = ", ".join(map(str, seeds))
    note = (
        f"Means over {len(results)} searches (seeds {listed}), with the smallest and the largest."
    )
    return replace(results[0], figures=tuple(figures), answers=(), notes=(note,), search=None)


@dataclass(frozen=True)
class Turn:
    """One fit with some indices ``held_out``: mean absolute errors on them, in points.

    ``errors`` by condition, means over populations; ``fit`` is the fitted prompt's on the others.
    """

    held_out: tuple[str, ...]
    errors: dict[str, float]
    fit: float


@dataclass(frozen=True)
class HeldOut:
    """Indices held out in turn, and fitted minus every other condition with a 95 % interval over indices."""

    turns: tuple[Turn, ...]
    means: dict[str, float]
    minus: dict[str, tuple[float, float, float]]


def held_out_in_turn(results: Sequence[Result], rng: np.random.Generator) -> HeldOut:
    """What fits say of indices that they did not see.

    The interval draws indices again, not splits, which share them: a split counts as often as all of its
    indices were drawn (the vertex bootstrap of Snijders and Borgatti 1999 for pairs).
    """
    turns = tuple(_turn(result) for result in results)
    conditions = list(turns[0].errors)
    table = np.array([[turn.errors[name] for name in conditions] for turn in turns])
    names = sorted({name for turn in turns for name in turn.held_out})
    draws = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=_RESAMPLES)
    places = [[names.index(name) for name in turn.held_out] for turn in turns]
    weights = np.stack([draws[:, place].prod(axis=1) for place in places], axis=1).astype(float)
    weights = weights[weights.sum(1) > 0]
    fitted = table[:, [conditions.index(FITTED)]]
    drawn = (weights @ (fitted - table)) / weights.sum(1, keepdims=True)
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    gaps = (fitted - table).mean(0)
    return HeldOut(
        turns,
        dict(zip(conditions, table.mean(0).tolist(), strict=True)),
        {
            name: (float(gaps[n]), float(low[n]), float(high[n]))
            for n, name in enumerate(conditions)
            if name != FITTED
        },
    )


def _turn(result: Result) -> Turn:
    held_out = next((a.held_out for a in result.provenance.instruments if a.indices), ())
    errors: dict[str, list[float]] = {}
    fit = []
    for code in result.provenance.populations:
        for f in result.select(population=code, metric=ERROR, split="held-out"):
            errors.setdefault(f.condition, []).append(f.value)
        fit.append(result.value(FITTED, ERROR, code, "fit"))
    if not errors:
        raise SpecificationError("The result holds no index out; fit with --hold-out.")
    return Turn(held_out, {k: float(np.nanmean(v)) for k, v in errors.items()}, float(np.mean(fit)))
