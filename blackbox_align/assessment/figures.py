"""Figures with intervals from what was measured row by row: means, splits and paired differences."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..populations import Population
from ..results import Figure, Split
from ..results.names import ALL, BASELINES, MEAN, NOISE, PEOPLE
from ..results.result import RANK
from ..statistics.bootstrap import Bootstrap, Estimate
from ..statistics.distances import WORTH
from ..statistics.permutations import sign_flip_p
from ..statistics.ranks import kendall_tau
from ..statistics.sampling import worth
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
    fitted = instrument.fitted(fitted_items)
    splits: dict[Split, NDArray[np.bool_] | None] = {"all": None}
    if fitted.any() and not fitted.all():
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
    kept: NDArray[np.bool_] | None,
    resampling: Resampling,
) -> Iterator[Figure]:
    """The figures of some populations together, and the differences between conditions.

    Each condition is compared with every baseline and every earlier condition.
    """
    question = np.concatenate([rows.question for rows in members])
    alike = instrument.pooled == "populations"
    group = np.concatenate(
        [np.full(len(r.question), n if alike else 0) for n, r in enumerate(members)]
    )
    here = np.ones(len(question), bool) if kept is None else kept[question]
    question, group = question[here], group[here]

    def column(condition: str, metric: str) -> Array:
        return np.concatenate([r.measured[condition][metric] for r in members])[here]

    conditions = list(members[0].measured)
    cells = [(one, "") for one in conditions] + compared(conditions)
    found = _estimated(instrument, cells, column, question, group, resampling)
    for one in conditions if WORTH in instrument.metrics else ():
        sums = [_by_question(column(one, name), question) for name in (WORTH.name, WORTH.over)]
        w = worth(*sums)
        limits = [v if np.isfinite(v) else math.nan for v in (w.people, w.low, w.high)]
        found[one, "", WORTH.name] = Estimate(*limits), w.questions, math.nan
    for one, minus in cells:
        for metric in instrument.metrics:
            if (one, minus, metric.name) not in found:
                continue
            e, n, p_value = found[one, minus, metric.name]
            yield Figure(
                name, one, metric.name, split, e.value, e.low, e.high, n, minus, instrument.name,
                p_value if minus else math.nan,
            )  # fmt: skip


def _estimated(
    instrument: Instrument,
    cells: Sequence[tuple[str, str]],
    column: Callable[[str, str], Array],
    question: NDArray[np.integer],
    group: NDArray[np.integer],
    resampling: Resampling,
) -> dict[tuple[str, str, str], tuple[Estimate, int, float]]:
    """By condition, what is subtracted, and metric: the estimate, its n and p. ``column`` gives (rows,)."""
    bootstrap = Bootstrap(question, group, resampling.resamples, resampling.seed)
    found: dict[tuple[str, str, str], tuple[Estimate, int, float]] = {}
    for ratio in (False, True):
        keys = [
            (one, minus, metric)
            for one, minus in cells
            for metric in instrument.metrics
            if bool(metric.over) == ratio and metric.name != WORTH.name
        ]
        if not keys:
            continue
        values = np.stack(
            [column(o, m.name) - (column(minus, m.name) if minus else 0) for o, minus, m in keys], 1
        )
        over = np.stack([column(o, m.over) for o, _, m in keys], 1) if ratio else None
        rng = np.random.default_rng(resampling.seed)
        p = sign_flip_p(values, question, group, rng, resampling.resamples)
        known = ~np.isnan(values) & (True if over is None else ~np.isnan(over))
        for (one, minus, metric), *cell in zip(
            keys, bootstrap.estimate(values, over), known.sum(0).tolist(), p.tolist(), strict=True
        ):
            found[one, minus, metric.name] = tuple(cell)
    return found


def _by_question(values: Array, question: NDArray[np.integer]) -> Array:
    """(questions,) the sums over a question's rows, which are no independent evidence."""
    names, where = np.unique(question, return_inverse=True)
    total = np.zeros(len(names))
    np.add.at(total, where, values)
    return total


def compared(conditions: Sequence[str]) -> list[tuple[str, str]]:
    """Each condition with every baseline and every earlier condition, in order."""
    asked = [name for name in conditions if name not in BASELINES]
    return [
        (one, other)
        for one in asked
        for other in conditions
        if (other in BASELINES and other != NOISE)
        or (other in asked and asked.index(other) < asked.index(one))
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
