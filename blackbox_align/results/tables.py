"""The tables of a fit, from its result: rows of numbers, and the words that cards and commands share."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from .names import (
    COUNTRY_IN_TEXT,
    FITTED,
    MEAN_OF_OTHER_GROUPS,
    MEAN_OF_OTHERS,
    NONE,
    PEOPLE,
    TEMPERED,
    UNIFORM,
    title,
)
from .result import Asked, Figure, Result, Split

ASKED = (NONE, COUNTRY_IN_TEXT, FITTED)
"""The conditions of a fit, in the order of their columns."""
_ROWS = (*ASKED, UNIFORM, MEAN_OF_OTHERS, MEAN_OF_OTHER_GROUPS, TEMPERED)

DISTANCE = "js_distance_nats"
ERROR = "absolute_error_points"


@dataclass(frozen=True)
class IndexRow:
    """One index in points: published, and under the conditions of :data:`ASKED`; NaN where unknown."""

    name: str
    title: str
    target: float
    points: tuple[float, ...]

    @property
    def error(self) -> float:
        """The fitted points minus the published ones."""
        return self.points[-1] - self.target


def indices_of(result: Result) -> Asked | None:
    """The questionnaire of a result that is read through indices, if there is one."""
    return next((asked for asked in result.provenance.instruments if asked.indices), None)


def opinions_of(result: Result) -> Asked | None:
    """The opinion survey of a result, if there is one."""
    found = (a for a in result.provenance.instruments if any(m.name == DISTANCE for m in a.metrics))
    return next(found, None)


def index_rows(result: Result, population: str) -> list[IndexRow]:
    """Index by index; empty for a result without indices."""
    asked = indices_of(result)
    if asked is None:
        return []
    points = {
        (f.condition, f.metric): f.value
        for f in result.select(population=population, instrument=asked.name)
    }
    return [
        IndexRow(
            name,
            long_name,
            points.get((PEOPLE, name), math.nan),
            tuple(points.get((condition, name), math.nan) for condition in ASKED),
        )
        for name, long_name in asked.indices.items()
    ]


def errors(result: Result, population: str) -> tuple[float, ...]:
    """The mean absolute error in index points under the conditions of :data:`ASKED`."""
    return tuple(_value(result, population, condition, ERROR, "all") for condition in ASKED)


def distances(result: Result, population: str, split: Split = "held-out") -> tuple[float, ...]:
    """JS distances in nats under the conditions of :data:`ASKED`."""
    return tuple(_value(result, population, condition, DISTANCE, split) for condition in ASKED)


def questions(result: Result, population: str, split: Split) -> int:
    """How many questions of an opinion survey were averaged."""
    figure = _figure(result, population, FITTED, DISTANCE, split)
    return figure.n if figure else 0


def fitted_minus(result: Result, population: str, condition: str) -> Figure | None:
    """The paired difference of held-out distances, fitted minus ``condition``."""
    return _figure(result, population, FITTED, DISTANCE, "held-out", condition)


def opinion_rows(result: Result, population: str) -> list[tuple[str, str, str, str]]:
    """A row per condition: its name, held-out distance, fitted minus it, distance where fitted."""
    asked = {figure.condition for figure in result.select(population=population, metric=DISTANCE)}
    return [
        (
            title(condition),
            interval(_figure(result, population, condition, DISTANCE, "held-out")),
            interval(fitted_minus(result, population, condition), sign=True),
            interval(_figure(result, population, condition, DISTANCE, "fit")),
        )
        for condition in _ROWS
        if condition in asked
    ]


def verdicts(result: Result, population: str) -> list[str]:
    """What the held-out differences show, one sentence for each thing that there is to say."""
    said: dict[str, list[str]] = {"nearer than": [], "not told apart from": [], "farther than": []}
    for condition in _ROWS:
        minus = fitted_minus(result, population, condition)
        if minus is None or math.isnan(minus.value):
            continue
        what = (
            "nearer than" if minus.high < 0
            else "farther than" if minus.low > 0
            else "not told apart from"
        )  # fmt: skip
        said[what].append(title(condition).strip("()"))
    sentences = [
        f"On held-out questions the fitted prompt is {what}: {'; '.join(names)}"
        + (" (the interval of the difference holds 0)." if what.startswith("not") else ".")
        for what, names in said.items()
        if names
    ]
    return [*sentences, "Brackets: 95 % interval over questions."]


def constants_line(asked: Asked) -> str:
    """The policy and the values of the constants: ``anchor (PDI +1.5, ...)``."""
    values = ", ".join(f"{name} {value:+.1f}" for name, value in asked.constants.items())
    return f"{asked.policy} ({values})"


def interval(figure: Figure | None, sign: bool = False, places: int = 3) -> str:
    """``0.213 [0.180, 0.250]``, or nothing where there is no figure."""
    if figure is None or math.isnan(figure.value):
        return ""
    plus = "+" if sign else ""
    numbers = (0.0 if math.isnan(n) else n for n in (figure.value, figure.low, figure.high))
    value, low, high = (f"{round(n, places) + 0.0:{plus}.{places}f}" for n in numbers)
    return f"{value} [{low}, {high}]"


def points(value: float, sign: bool = False) -> str:
    """A figure in index points, or a dash where there is none."""
    if math.isnan(value):
        return "-"
    rounded = round(value, 1) + 0.0  # no -0.0
    return f"{rounded:+.1f}" if sign else f"{rounded:.1f}"


def populations(result: Result) -> Iterator[tuple[str, str]]:
    """Code and name of every population of a fit."""
    yield from result.provenance.populations.items()


def _figure(
    result: Result, population: str, condition: str, metric: str, split: Split, minus: str = ""
) -> Figure | None:
    found = result.select(
        population=population, condition=condition, metric=metric, split=split, minus=minus
    )
    return found[0] if found else None


def _value(result: Result, population: str, condition: str, metric: str, split: Split) -> float:
    figure = _figure(result, population, condition, metric, split)
    return figure.value if figure else math.nan
