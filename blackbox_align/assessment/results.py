"""What a score is: rows with an interval and a count each, paired differences, and their notes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import SpecificationError
from ..statistics.bootstrap import Bootstrap

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Column:
    """A metric as it stands in a table: ``title`` says what is measured and in which unit."""

    name: str
    title: str
    higher_is_better: bool


@dataclass(frozen=True)
class Score:
    """One figure: ``country`` is a code or ``mean`` or ``all``; ``condition`` what was prompted.

    ``kind`` is ``condition`` or ``baseline``; ``low`` and ``high`` are the 95 % interval over
    questions; ``n`` the number of distributions (or questions, or indices) that were averaged.
    In a difference, ``minus`` is the condition that was subtracted, on the same questions.
    """

    country: str
    condition: str
    kind: str
    metric: str
    value: float
    low: float
    high: float
    n: int
    minus: str = ""


@dataclass(frozen=True)
class ScoreTable:
    """The scores of one instrument; ``headline`` names the metrics to print first.

    ``ranks`` holds Kendall's tau between predicted and published figures over countries, one row per
    condition and index; it is empty for instruments without indices.
    """

    instrument: str
    columns: tuple[Column, ...]
    headline: tuple[str, ...]
    scores: tuple[Score, ...]
    differences: tuple[Score, ...]
    notes: tuple[str, ...]
    ranks: tuple[dict[str, Any], ...] = ()

    def column(self, name: str) -> Column:
        """A metric by its name; :class:`SpecificationError` where the table has none such."""
        for column in self.columns:
            if column.name == name:
                return column
        known = ", ".join(column.name for column in self.columns)
        raise SpecificationError(f"The metric must be one of {known}; not {name!r}.")

    def value(self, condition: str, metric: str | None = None, country: str | None = None) -> float:
        """One figure: of the first headline metric and of the table's last country if not named."""
        metric = metric or self.headline[0]
        country = country or self.scores[-1].country
        for score in self.scores:
            if (score.country, score.condition, score.metric) == (country, condition, metric):
                return score.value
        raise SpecificationError(f"There is no score of {condition!r} in {country} on {metric!r}.")

    def table(self) -> pd.DataFrame:
        """One row per country, condition and metric: value, low, high, n."""
        import pandas as pd

        frame = pd.DataFrame([asdict(score) for score in self.scores])
        return frame.drop(columns="minus").set_index(["country", "condition", "metric"])

    def differences_table(self) -> pd.DataFrame:
        """One row per country, pair of conditions and metric: value, low, high, n."""
        import pandas as pd

        index = ["country", "condition", "minus", "metric"]
        names = [*index, "kind", "value", "low", "high", "n"]
        frame = pd.DataFrame([asdict(score) for score in self.differences], columns=names)
        return frame.drop(columns="kind").set_index(index)

    def to_dict(self) -> dict[str, Any]:
        """All of it for programs; NaN is written as None."""
        return {
            "instrument": self.instrument,
            "columns": [asdict(column) for column in self.columns],
            "headline": list(self.headline),
            "scores": [_plain(score) for score in self.scores],
            "differences": [_plain(score) for score in self.differences],
            "ranks": [dict(row) for row in self.ranks],
            "notes": list(self.notes),
        }


def _plain(score: Score) -> dict[str, Any]:
    return {
        key: None if isinstance(value, float) and math.isnan(value) else value
        for key, value in asdict(score).items()
    }


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun: ``1 question``, ``1,227 questions``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


@dataclass(frozen=True)
class Values:
    """One condition's values (rows, metrics), NaN where it has none."""

    condition: str
    kind: str
    values: np.ndarray


def summarise(
    country: str,
    answered: Sequence[Values],
    metrics: Sequence[str],
    question: np.ndarray,
    group: np.ndarray,
    *,
    resamples: int,
    seed: int,
) -> tuple[list[Score], list[Score]]:
    """Scores of all conditions, and of each condition minus every baseline and earlier condition.

    ``question`` and ``group`` are (rows,), see :class:`.bootstrap.Bootstrap`.
    """
    bootstrap = Bootstrap(question, group, resamples, seed)
    pairs = [
        (one, other)
        for number, one in enumerate(answered)
        for other in (*answered[:number], *answered[number + 1 :])
        if one.kind == "condition" and (other.kind == "baseline" or other in answered[:number])
    ]
    blocks = [entry.values for entry in answered] + [
        one.values - other.values for one, other in pairs
    ]
    estimates = bootstrap.estimate(np.concatenate(blocks, axis=1))
    counts = [int(n) for n in (~np.isnan(np.concatenate(blocks, axis=1))).sum(0)]
    scores: list[Score] = []
    differences: list[Score] = []
    cells = iter(zip(estimates, counts, strict=True))
    for entry in answered:
        for metric in metrics:
            e, n = next(cells)
            score = Score(country, entry.condition, entry.kind, metric, e.value, e.low, e.high, n)
            scores.append(score)
    for one, other in pairs:
        for metric in metrics:
            e, n = next(cells)
            score = Score(
                country,
                one.condition,
                "difference",
                metric,
                e.value,
                e.low,
                e.high,
                n,
                other.condition,
            )
            differences.append(score)
    return scores, differences
