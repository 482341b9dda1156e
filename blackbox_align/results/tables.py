"""The tables of a fit, from its result: rows of numbers, and the words that cards and commands share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .names import (
    ANSWERS_IN_TEXT,
    CORRECTED,
    COUNTRY_IN_TEXT,
    FITTED,
    MEAN_OF_OTHER_GROUPS,
    MEAN_OF_OTHERS,
    MIXTURE,
    MIXTURE_OF_GROUPS,
    MODE,
    NOISE,
    NONE,
    PEOPLE,
    TEMPERED,
    UNIFORM,
    title,
)
from .result import Asked, Figure, Result, Split

if TYPE_CHECKING:
    from ..statistics.bootstrap import Estimate

ASKED = (NONE, COUNTRY_IN_TEXT, FITTED)
"""The conditions of a fit, in the order of their columns."""
_ROWS = (
    *(NONE, COUNTRY_IN_TEXT, ANSWERS_IN_TEXT, FITTED, UNIFORM, MODE, MEAN_OF_OTHERS),
    *(MEAN_OF_OTHER_GROUPS, MIXTURE, MIXTURE_OF_GROUPS, TEMPERED, CORRECTED, NOISE),
)

_PLACE = {name: n for n, name in enumerate(_ROWS)}

DISTANCE = "js_distance_nats"
ERROR = "absolute_error_points"
WORTH = "worth_in_people"
OWN = "own_loss"
MEASURES = {
    "earth_movers_distance": ("earth\nmover's", 3),
    "simbench_score": ("Sim-\nBench", 0),
    "variance_ratio": ("var.\nratio", 2),
    "entropy_nats": ("entr.\nnats", 2),
}
"""Measures beside the distance: the head of each one's column, and its decimals."""


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


def own_of(result: Result) -> Asked | None:
    """The questionnaire whose answers a function of somebody's own measures, if there is one."""
    found = (a for a in result.provenance.instruments if any(m.name == OWN for m in a.metrics))
    return next(found, None)


def own_rows(result: Result, population: str) -> list[tuple[str, str]]:
    """A row per condition: its name, and the loss by that function with its interval."""
    found = result.select(population=population, metric=OWN)
    found.sort(key=lambda figure: _PLACE.get(figure.condition, len(_PLACE)))
    return [(title(f.condition), interval(f) if f.n > 1 else f"{f.value:.3f}") for f in found]


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
    rows = []
    for condition in conditions_of(result, population):
        fit = _figure(result, population, condition, DISTANCE, "fit")
        rows.append(
            (
                title(condition),
                interval(_figure(result, population, condition, DISTANCE, "held-out")),
                interval(fitted_minus(result, population, condition), sign=True),
                "" if fit is None or math.isnan(fit.value) else f"{fit.value:.3f}",
            )
        )
    return rows


def conditions_of(result: Result, population: str) -> list[str]:
    """The conditions that have distances, asked ones first, then baselines, the floor last."""
    found = [f.condition for f in result.select(population=population, metric=DISTANCE)]
    return sorted(dict.fromkeys(found), key=lambda name: _PLACE.get(name, _PLACE[FITTED]))


def measure_rows(
    result: Result, population: str, split: Split = "held-out"
) -> list[tuple[str, ...]]:
    """A row per condition: its name, the :data:`MEASURES`, and what it is worth in people.

    The first row is people's own: their entropy, and the measures of an answer that is theirs.
    """
    rows: list[tuple[str, ...]] = []
    theirs = result.select(population=population, metric="peoples_entropy_nats", split=split)
    if theirs:
        rows.append(("people", "0.000", "100", "1.00", f"{theirs[0].value:.2f}", ""))
    for condition in conditions_of(result, population):
        cells = []
        for metric, (_, places) in MEASURES.items():
            figure = _figure(result, population, condition, metric, split)
            known = figure is not None and not math.isnan(figure.value)
            cells.append(f"{figure.value + 0.0:.{places}f}" if known and figure else "-")
        worth = _figure(result, population, condition, WORTH, split)
        rows.append((title(condition), *cells, people(worth) if worth else "-"))
    return rows


def people(figure: Figure) -> str:
    """What answers are worth in people: ``31 [18, 60]``, ``900 [310, -]`` where nothing bounds it."""
    if not figure.n or (math.isnan(figure.value) and math.isnan(figure.low)):
        return "-"
    value, high = ("-" if math.isnan(v) else _whole(v) for v in (figure.value, figure.high))
    return f"{value} [{_whole(figure.low)}, {high}]"


def _whole(number: float) -> str:
    return f"{number:.1f}" if number < 10 else f"{number:,.0f}"


def verdicts(result: Result, population: str) -> list[str]:
    """What the held-out figures show: worth in people, then whether there is a gain, and over what."""
    said: dict[str, list[str]] = {"nearer than": [], "not told apart from": [], "farther than": []}
    for condition in conditions_of(result, population):
        minus = fitted_minus(result, population, condition)
        if minus is None or math.isnan(minus.value):
            continue
        said[compared(minus.low, minus.high)].append(title(condition).strip("()"))
    sentences = [
        f"On held-out questions the fitted prompt is {what}: {'; '.join(names)}"
        + (" (the interval of the difference holds 0)." if what.startswith("not") else ".")
        for what, names in said.items()
        if names
    ]
    if sentences:
        missed = said["not told apart from"] + said["farther than"]
        gain = (
            f"No gain is claimed: the fitted prompt does not beat {'; '.join(missed)}."
            if missed
            else "A gain: the fitted prompt is nearer than all that it is compared with."
        )
        sentences.insert(0, gain)
    worth = _figure(result, population, FITTED, WORTH, "held-out")
    if worth is not None and people(worth) != "-":
        name = result.provenance.populations.get(population, population)
        sentences.insert(
            0,
            f"On held-out questions it is worth {people(worth)} respondents: so many people of {name}, "
            "asked at random, would come as near.",
        )
    return [*sentences, "Brackets: 95 % interval over questions."]


def compared(low: float, high: float) -> str:
    """What the interval of a difference in distance shows."""
    return "nearer than" if high < 0 else "farther than" if low > 0 else "not told apart from"


def constants_line(asked: Asked) -> str:
    """The policy and the values of the constants: ``anchor (PDI +1.5, ...)``."""
    values = ", ".join(f"{name} {value:+.1f}" for name, value in asked.constants.items())
    return f"{asked.policy} ({values})"


def interval(figure: Figure | Estimate | None, sign: bool = False, places: int = 3) -> str:
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
