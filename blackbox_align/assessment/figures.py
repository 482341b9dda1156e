"""Figures with intervals from what was measured row by row: means, splits and paired differences."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..populations import Population
from ..results import Figure, Split
from ..results.names import ALL, BASELINES, MEAN, PEOPLE
from ..results.result import RANK
from ..statistics.bootstrap import Bootstrap
from ..statistics.ranks import kendall_tau
from ..surveys.instrument import Instrument, Measured

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Rows:
    """What was measured of one population: by condition, (rows,) values of every metric."""

    population: Population
    question: NDArray[np.integer]
    measured: Mapping[str, Measured]


@dataclass(frozen=True)
class Resampling:
    """How intervals are drawn: the same two give the same intervals."""

    resamples: int = 1000
    seed: int = 0


def figures(
    instrument: Instrument,
    measured: Sequence[Rows],
    fitted_items: Collection[str],
    resampling: Resampling,
) -> Iterator[Figure]:
    """Every metric of every condition, population by population, then over all of them.

    Where some of the items were fitted to, the fitted ones and those held out have figures of their own.
    """
    fitted = np.array([item.id in fitted_items for item in instrument.items], dtype=bool)
    splits: dict[Split, Array] = {"all": np.ones(len(fitted), dtype=bool)}
    if instrument.resampled == "questions" and fitted.any() and not fitted.all():
        splits |= {"held-out": ~fitted, "fit": fitted}
    over = MEAN if instrument.pooled == "populations" else ALL
    groups = [(rows.population.code, [rows]) for rows in measured]
    if len(measured) != 1 or over == ALL:
        groups.append((over, list(measured)))
    for split, kept in splits.items():
        for name, members in groups:
            yield from _of_group(instrument, name, members, split, kept, resampling)


def _of_group(
    instrument: Instrument,
    name: str,
    members: Sequence[Rows],
    split: Split,
    kept: Array,
    resampling: Resampling,
) -> Iterator[Figure]:
    """The figures of some populations together, and the differences between conditions.

    Each condition is compared with every baseline and every earlier condition.
    """
    metrics = [metric.name for metric in instrument.metrics]
    question = np.concatenate([rows.question for rows in members])
    alike = instrument.pooled == "populations"
    group = np.concatenate(
        [np.full(len(r.question), n if alike else 0) for n, r in enumerate(members)]
    )
    here = kept[question] if instrument.resampled == "questions" else np.ones(len(question), bool)
    values = {
        condition: np.concatenate(
            [np.stack([r.measured[condition][m] for m in metrics], axis=1) for r in members]
        )[here]
        for condition in members[0].measured
    }
    pairs = compared(list(values))
    blocks = [*values.values(), *(values[one] - values[other] for one, other in pairs)]
    columns = np.concatenate(blocks, axis=1)
    bootstrap = Bootstrap(question[here], group[here], resampling.resamples, resampling.seed)
    cells = zip(bootstrap.estimate(columns), (~np.isnan(columns)).sum(0), strict=True)
    for condition, minus in [*((one, "") for one in values), *pairs]:
        for metric in metrics:
            e, n = next(cells)
            yield Figure(
                name,
                condition,
                metric,
                split,
                e.value,
                e.low,
                e.high,
                int(n),
                minus,
                instrument.name,
            )


def compared(conditions: Sequence[str]) -> list[tuple[str, str]]:
    """Each condition with every baseline and every earlier condition, in order."""
    asked = [name for name in conditions if name not in BASELINES]
    return [
        (one, other)
        for one in asked
        for other in conditions
        if other in BASELINES or (other in asked and asked.index(other) < asked.index(one))
    ]


def index_figures(
    instrument: Instrument, predicted: Mapping[str, Mapping[str, Array]]
) -> Iterator[Figure]:
    """Every index in points by population and condition, published figures first, then their ranks.

    ``predicted`` is (indices,) points by condition and population's code.
    """
    names = instrument.index_names
    by_code = {population.code: population for population in instrument.populations}
    codes = list(next(iter(predicted.values()), {}))
    published = {code: instrument.figures(by_code[code]) for code in codes}
    for condition, points in {PEOPLE: published, **predicted}.items():
        for code in codes:
            for index, value in zip(names, points[code], strict=True):
                nan, n = math.nan, 0 if np.isnan(value) else 1
                yield Figure(
                    code, condition, index, "all", float(value), nan, nan, n, "", instrument.name
                )
    truth = np.array([published[code] for code in codes])
    for condition, points in predicted.items():
        rows = np.array([points[code] for code in codes])
        for n, index in enumerate(names):
            tau = kendall_tau(rows[:, n], truth[:, n])
            if not math.isnan(tau):
                known = int((~np.isnan(truth[:, n])).sum())
                yield Figure(
                    MEAN, condition, f"{RANK} {index}", "all", tau, math.nan, math.nan, known, "",
                    instrument.name,
                )  # fmt: skip
