"""Ways to answer for a country, measured on the same questions: means, and differences with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UnknownNameError
from ..statistics.bootstrap import Bootstrap, Estimate

Array = NDArray[np.floating]
Whole = NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class Scores:
    """Points of every way of answering: S = 100 (1 - JS distance in nats), the paper's alignment.

    Parameters
    ----------
    ways : their names, in the order of tables
    values : (rows, ways) points; a row is a question of a country
    question, country : (rows,) of every row
    notes : sentences that belong beside the table
    """

    ways: tuple[str, ...]
    values: Array
    question: NDArray[np.str_]
    country: NDArray[np.str_]
    notes: tuple[str, ...] = ()

    def column(self, way: str) -> Array:
        """(rows,) points of one way."""
        if way not in self.ways:
            raise UnknownNameError("way of answering", way, self.ways)
        return np.asarray(self.values[:, self.ways.index(way)])

    def estimate(
        self, minus: str = "", resamples: int = 1000, seed: int = 0
    ) -> dict[str, Estimate]:
        """The mean of every way over countries, or its paired difference to one; over questions' draws.

        All countries' answers to a question are drawn together (:mod:`..statistics.bootstrap`).
        """
        values = self.values - self.column(minus)[:, None] if minus else self.values
        found = Bootstrap(self.question, self.country, resamples, seed).estimate(values)
        return dict(zip(self.ways, found, strict=True))

    def by_country(self) -> dict[str, dict[str, float]]:
        """The mean of every way, country by country."""
        return {
            str(code): dict(
                zip(self.ways, map(float, self.values[self.country == code].mean(0)), strict=True)
            )
            for code in dict.fromkeys(self.country.tolist())
        }

    def to_dict(self, minus: Sequence[str] = ()) -> dict[str, Any]:
        """Plain values: the table, the differences to ``minus``, and every country's means."""
        return {
            "rows": len(self.values),
            "questions": len(np.unique(self.question)),
            "countries": len(np.unique(self.country)),
            "ways": {way: asdict(e) for way, e in self.estimate().items()},
            "minus": {
                other: {way: asdict(e) for way, e in self.estimate(other).items()}
                for other in minus
            },
            "by_country": self.by_country(),
            "notes": list(self.notes),
        }
