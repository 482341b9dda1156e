"""A comparison: many finished or failed searches side by side, and what can be said of them.

A *method* is every combination of the settings that were varied, other than country and seed: those are
the problems that all methods are tried on, in pairs. An unreached target is never part of a mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import SpecificationError
from ..statistics.rankings import Pair, Ranking, compare_pairs, rank
from ..statistics.runtimes import Runtime, estimate_running_time, evaluations_to

if TYPE_CHECKING:
    import pandas as pd

    from ..plots import Axes

PROBLEM = ("country", "seed")
CLAIM = 10
"""Countries from which on intervals are over countries; fewer carry no claim about others."""


@dataclass(frozen=True)
class Cell:
    """One search: the settings that were varied, and its best loss so far after every evaluation.

    ``best`` is (evaluations,) float64, empty where ``failure`` says why there is nothing; ``rounds``
    (evaluations,) int the round in which each was asked, empty where that is not known; ``tokens`` are
    those that an evaluation adds to a pass, 0 where that is not known, and ``placement`` where the prompt
    stood.
    """

    settings: Mapping[str, Any]
    best: np.ndarray
    failure: str = ""
    run: str = ""
    dimension: int = 0
    rounds: np.ndarray = field(default_factory=lambda: np.empty(0, int))
    tokens: int = 0
    placement: str = ""

    def rounds_until(self, evaluations: int) -> int:
        """Rounds that so many evaluations took; each is one of its own where nothing else is known."""
        return (
            int(self.rounds[evaluations - 1]) if evaluations and len(self.rounds) else evaluations
        )

    def spent(self, target: float) -> tuple[int, bool]:
        """Evaluations until a loss of ``target``, or all where it was not reached; and whether it was."""
        hit = evaluations_to(self.best, target)
        return (len(self.best), False) if hit is None else (hit, True)

    @property
    def country(self) -> str:
        return str(self.settings.get("country"))

    @property
    def problem(self) -> tuple[Any, ...]:
        return tuple(self.settings.get(name) for name in PROBLEM)

    @property
    def method(self) -> str:
        """The settings that were varied beside country and seed, in words."""
        parts = [
            str(value) if name == "optimizer" else f"{name} {value}"
            for name, value in self.settings.items()
            if name not in PROBLEM
        ]
        return ", ".join(parts) or "all"


@dataclass(frozen=True)
class Comparison:
    """Cells, the target whose running times are compared, and the evaluations that each might spend."""

    cells: tuple[Cell, ...]
    target: float
    budget: int
    unit: str = "index points"

    @cached_property
    def methods(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(cell.method for cell in self.cells))

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What stands beside the table: that prompts stood in several places, unless that was varied."""
        places = {cell.method: cell.placement for cell in self.finished if cell.placement}
        if len(set(places.values())) < 2 or "placement" in self.cells[0].settings:
            return ()
        each = ", ".join(f"{method}: {place}" for method, place in places.items())
        return (
            f"The prompts stood in different places ({each}), which cost and move differently; --placement "
            "puts all in one.",
        )

    @property
    def finished(self) -> list[Cell]:
        """The cells that have evaluations; the others are in no figure."""
        return [cell for cell in self.cells if not cell.failure and len(cell.best)]

    @cached_property
    def by_method(self) -> dict[str, list[Cell]]:
        """The finished cells of every method that has any."""
        found: dict[str, list[Cell]] = {}
        for cell in self.finished:
            found.setdefault(cell.method, []).append(cell)
        return found

    @cached_property
    def reached(self) -> bool:
        """Whether any search reached the target: else nothing tells methods apart by what they need."""
        return any(evaluations_to(cell.best, self.target) for cell in self.finished)

    @cached_property
    def over_countries(self) -> bool:
        """Whether there are countries enough to draw them again: else intervals are over seeds alone."""
        return len({cell.country for cell in self.finished}) >= CLAIM

    @property
    def drawn(self) -> str:
        """What the bootstrap of every interval draws, in words, and of whom it therefore speaks."""
        if self.over_countries:
            return "over countries, with all their seeds: it is for countries like these"
        return "over seeds within countries: it is for these countries alone"

    def runtimes(self, seed: int = 0, *, rounds: bool = False) -> dict[str, Runtime]:
        """The expected running time of every method, in evaluations or ``rounds``; its bootstrap is over
        what :attr:`drawn` says.
        """
        found = {}
        for method, cells in self.by_method.items():
            spent, reached = map(list, zip(*(c.spent(self.target) for c in cells), strict=True))
            if rounds:
                spent = [cell.rounds_until(n) for cell, n in zip(cells, spent, strict=True)]
            found[method] = estimate_running_time(
                np.array(spent, float),
                np.array(reached),
                [cell.country for cell in cells],
                np.random.default_rng(seed),
                of_groups=self.over_countries,
            )
        return found

    def table(self, seed: int = 0) -> pd.DataFrame:
        """A row per method, the fewest evaluations first: ERT with interval, the same in rounds,
        searches that reached the target, and the median of the best losses in the end.
        """
        import pandas as pd

        rows = []
        rounds = self.runtimes(seed, rounds=True)
        for method, runtime in self.runtimes(seed).items():
            ends = [cell.best[-1] for cell in self.by_method[method]]
            rows.append(
                {
                    "method": method,
                    "runs": runtime.runs,
                    "reached": runtime.reached,
                    "ert": runtime.value,
                    "ert_low": runtime.low,
                    "ert_high": runtime.high,
                    "ert_rounds": rounds[method].value,
                    "median_loss": float(np.median(ends)),
                }
            )
        times = ["ert", "ert_low", "ert_high", "ert_rounds"]
        frame = pd.DataFrame(rows, columns=["method", "runs", "reached", *times, "median_loss"])
        return frame.sort_values(["ert", "median_loss", "method"]).set_index("method")

    def searches(self) -> pd.DataFrame:
        """A row per cell: what was varied, evaluations, rounds and tokens spent, evaluations and rounds
        needed (blank: not within them), loss. Seconds are in the runs: they are not the same twice.
        """
        import pandas as pd

        rows = []
        for cell in self.cells:
            hit = evaluations_to(cell.best, self.target)
            rows.append(
                {
                    **cell.settings,
                    "evaluations": len(cell.best),
                    "needed": pd.NA if hit is None else hit,
                    "rounds": cell.rounds_until(len(cell.best)),
                    "rounds_needed": pd.NA if hit is None else cell.rounds_until(hit),
                    "tokens": cell.tokens * len(cell.best) or pd.NA,
                    "loss": float(cell.best[-1]) if len(cell.best) else np.nan,
                    "failure": cell.failure,
                    "run": cell.run,
                }
            )
        return pd.DataFrame(rows).astype(
            dict.fromkeys(("needed", "rounds_needed", "tokens"), "Int64")
        )

    @cached_property
    def _paired(self) -> tuple[list[str], np.ndarray]:
        """Methods, and (problems, methods) what they needed, inf for not within the budget.

        Only problems that every method was tried on, of methods that were tried at all.
        """
        by_method: dict[str, dict[Any, float]] = {}
        for cell in self.finished:
            hit = evaluations_to(cell.best, self.target)
            values = by_method.setdefault(cell.method, {})
            values[cell.problem] = np.inf if hit is None else float(hit)
        if not by_method:
            raise SpecificationError("None of the searches has an evaluation yet.")
        shared = set.intersection(*(set(values) for values in by_method.values()))
        problems = sorted(shared, key=repr)
        table = [[values[p] for values in by_method.values()] for p in problems]
        return list(by_method), np.array(table).reshape(len(problems), len(by_method))

    def ranking(self) -> tuple[Sequence[str], Ranking]:
        """Mean ranks over the problems that all methods share; see :func:`..statistics.rankings.rank`."""
        methods, needed = self._paired
        return methods, rank(needed)

    def plot(
        self, kind: str = "ecdf", *, baseline: str | None = None, ax: Axes | None = None
    ) -> Axes:
        """Draw ``ecdf``, ``rounds``, ``anytime``, ``critical-difference``, ``relative`` or ``losses``;
        returns the Axes.

        ``baseline`` is the method that others are set against in ``relative``, by default random search.
        """
        from .comparison_pictures import comparison_picture

        return comparison_picture(self, kind, baseline).plot(ax)

    def pairs(self) -> tuple[Sequence[str], list[Pair]]:
        """Every pair of methods; see :func:`..statistics.rankings.compare_pairs`."""
        methods, needed = self._paired
        return methods, compare_pairs(needed)
