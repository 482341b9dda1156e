"""The pictures of a comparison, each with the table that it is drawn from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from ..errors import UnknownNameError
from ..plots.picture import Picture
from ..plots.runtimes import anytime, boxes, critical_difference, ecdf, relative
from ..statistics.runtimes import evaluations_to, ratio_of_running_times, share_reached
from .names import counted

if TYPE_CHECKING:
    import pandas as pd

    from .comparison import Cell, Comparison

POINTS, TARGETS, RESAMPLES = 48, 7, 1000
KINDS = ("ecdf", "rounds", "anytime", "critical-difference", "relative", "losses")
"""What :meth:`.comparison.Comparison.plot` draws."""


def comparison_pictures(comparison: Comparison, baseline: str | None = None) -> list[Picture]:
    """All pictures that the comparison has enough searches for."""
    if not comparison.finished:
        return []
    told_apart = len(comparison.by_method) > 1 and comparison.reached
    kinds = KINDS if told_apart else ("ecdf", "rounds", "anytime", "losses")
    return [comparison_picture(comparison, kind, baseline) for kind in kinds]


def comparison_picture(comparison: Comparison, kind: str, baseline: str | None = None) -> Picture:
    """One of :data:`KINDS`; ``baseline`` is the method of ``relative``, by default random search."""
    made: dict[str, Callable[[], Picture]] = {
        "ecdf": lambda: _ecdf(comparison),
        "rounds": lambda: _rounds(comparison),
        "anytime": lambda: _anytime(comparison),
        "critical-difference": lambda: _ranks(comparison),
        "relative": lambda: _relative(comparison, baseline),
        "losses": lambda: _losses(comparison),
    }
    if kind not in made:
        raise UnknownNameError("picture of a comparison", kind, KINDS)
    return made[kind]()


def _evaluations(comparison: Comparison) -> np.ndarray:
    """(points,) where curves are drawn: evenly on a log scale, whole numbers."""
    return np.unique(np.geomspace(1, comparison.budget, POINTS).round().astype(int))


def _curves(cells: list[Cell], at: np.ndarray) -> np.ndarray:
    """(searches, points) best losses; a search that ended keeps its last."""
    return np.stack([cell.best[np.minimum(at, len(cell.best)) - 1] for cell in cells])


def _who(comparison: Comparison) -> str:
    """What was compared, in words that every caption opens with."""
    cells = comparison.finished
    seeds = len({cell.settings.get("seed") for cell in cells})
    countries = len({cell.country for cell in cells})
    failed = len(comparison.cells) - len(cells)
    return (
        f"{counted(len(cells), 'search', 'searches')}: {counted(len(comparison.by_method), 'method')}, "
        f"{counted(countries, 'country', 'countries')}, {counted(seeds, 'seed')}, at "
        f"most {comparison.budget:,} evaluations each"
        + (f" ({failed} more failed or are missing)" if failed else "")
    )


def run_length_targets(comparison: Comparison) -> dict[str, list[float]]:
    """Losses by country, from easy to hard: what the best method has by its median after 1/100 of the
    budget, and so on to all of it (run-length-based targets, Hansen et al. 2021, sec. 5); none below the
    comparison's own target, which is the last.
    """
    at = np.unique(
        np.geomspace(max(2, comparison.budget / 100), comparison.budget, TARGETS)
        .round()
        .astype(int)
    )
    targets: dict[str, list[float]] = {}
    for country in dict.fromkeys(cell.country for cell in comparison.finished):
        medians = [
            np.median(_curves(own, at), axis=0)
            for cells in comparison.by_method.values()
            if (own := [cell for cell in cells if cell.country == country])
        ]
        reached = np.min(medians, axis=0)
        kept = {float(loss) for loss in reached if np.isfinite(loss) and loss > comparison.target}
        targets[country] = sorted({*kept, comparison.target}, reverse=True)
    return targets


def _ecdf(comparison: Comparison) -> Picture:
    return Picture(
        "ecdf",
        "How soon targets are reached",
        f"{_who(comparison)}. {_shares(comparison, 'evaluations')}",
        _reached(comparison, _evaluations(comparison), lambda cell, evaluations: evaluations),
        ecdf,
        3.4,
    )


def _rounds(comparison: Comparison) -> Picture:
    """The same, where those count that work side by side."""
    most = max(cell.rounds_until(len(cell.best)) for cell in comparison.finished)
    at = np.unique(np.geomspace(1, most, POINTS).round().astype(int))
    frame = _reached(comparison, at, lambda cell, evaluations: cell.rounds_until(evaluations))
    return Picture(
        "rounds",
        "How soon targets are reached, in rounds",
        f"{_who(comparison)}. {_shares(comparison, 'rounds')} The candidates of a round are asked side by "
        "side: who has as many workers, or a model that takes them in one pass, waits for rounds.",
        frame.rename(columns={"evaluations": "rounds"}),
        ecdf,
        3.4,
    )


def _shares(comparison: Comparison, unit: str) -> str:
    """What an empirical distribution of running times shows."""
    return (
        f"Share of all pairs of search and target loss that were reached within so many {unit}. Targets by "
        f"country, up to {TARGETS + 1}: the best method's median loss after a hundredth of the budget and "
        f"so on to all of it, and {comparison.target:g}. Shares of what was run (column 'pairs' is n), no "
        "interval. Higher and further left is better."
    )


def _reached(
    comparison: Comparison, at: np.ndarray, unit: Callable[[Cell, int], int]
) -> pd.DataFrame:
    """A row per method and point of ``at``: the share of targets that were reached within it."""
    import pandas as pd

    targets, rows = run_length_targets(comparison), []
    for method, cells in comparison.by_method.items():
        hits = [
            (cell, evaluations_to(cell.best, target))
            for cell in cells
            for target in targets[cell.country]
        ]
        needed = np.array([np.inf if hit is None else unit(cell, hit) for cell, hit in hits])
        share = share_reached(needed, at)
        rows += [(method, int(n), float(s), len(needed)) for n, s in zip(at, share, strict=True)]
    return pd.DataFrame(rows, columns=["method", "evaluations", "share", "pairs"])


def _anytime(comparison: Comparison) -> Picture:
    import pandas as pd

    at, rng = _evaluations(comparison), np.random.default_rng(0)
    rows = []
    for method, cells in comparison.by_method.items():
        curves = _curves(cells, at)
        usable = np.isfinite(curves).all(axis=0)
        medians = np.stack(
            [np.median(curves[one], axis=0) for one in _draws(comparison, cells, rng)]
        )
        low, high = np.quantile(medians, [0.025, 0.975], axis=0)
        middle = np.median(curves, axis=0)
        rows += [
            (method, int(n), float(m), float(lo), float(hi), len(cells), comparison.unit)
            for n, m, lo, hi, fine in zip(at, middle, low, high, usable, strict=True)
            if fine
        ]
    columns = ["method", "evaluations", "median", "low", "high", "searches", "unit"]
    return Picture(
        "anytime",
        "What is reached at any time",
        f"{_who(comparison)}. Median over searches (column 'searches' is n) of the best loss so far "
        f"({comparison.unit}); a search that ended keeps its last. A band is the 95 % interval of the "
        f"median, a bootstrap of {RESAMPLES:,} draws {comparison.drawn}. Lower is better; a search ends at "
        f"{comparison.target:g}.",
        pd.DataFrame(rows, columns=columns),
        anytime,
        3.6,
    )


def _draws(
    comparison: Comparison, cells: list[Cell], rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """Numbers of cells, drawn again and again, of what :attr:`.comparison.Comparison.drawn` says."""
    groups: dict[str, list[int]] = {}
    for n, cell in enumerate(cells):
        groups.setdefault(cell.country, []).append(n)
    members = [np.array(own) for own in groups.values()]
    for _ in range(RESAMPLES):
        if comparison.over_countries:
            drawn = [members[n] for n in rng.integers(0, len(members), len(members))]
        else:
            drawn = [own[rng.integers(0, len(own), len(own))] for own in members]
        yield np.concatenate(drawn)


def _ranks(comparison: Comparison) -> Picture:
    import pandas as pd

    methods, ranking = comparison.ranking()
    frame = pd.DataFrame(
        {
            "method": list(methods),
            "rank": ranking.ranks,
            "critical_difference": ranking.critical_difference,
            "problems": ranking.problems,
            "friedman_p": ranking.p,
        }
    ).sort_values("rank", kind="stable", ignore_index=True)
    friedman = "" if np.isnan(ranking.p) else f" Friedman's test over all: p = {ranking.p:.2g}."
    return Picture(
        "critical-difference",
        "Which methods are told apart",
        f"{_who(comparison)}. Mean rank of the evaluations needed to a loss of {comparison.target:g} over "
        f"{ranking.problems} pairs of country and seed (1 is best; not reached is last). Methods that a "
        "shaded "
        "box joins are nearer than the critical difference, so Nemenyi's test does not tell them apart "
        "at 5 % "
        f"(Demsar 2006).{friedman} The difference takes the place of an interval. Problems are these "
        "countries and seeds alone.",
        frame,
        critical_difference,
        1.0 + 0.3 * len(frame),
    )


def _relative(comparison: Comparison, baseline: str | None) -> Picture:
    import pandas as pd

    methods = comparison.by_method
    if baseline is None:
        baseline = _usual_baseline(comparison)
    if baseline not in methods:
        raise UnknownNameError("method of this comparison", baseline, list(methods))
    problems = {name: _spent(comparison, cells) for name, cells in methods.items()}
    rows = []
    for name, own in problems.items():
        shared = [key for key in own if key in problems[baseline]]
        pairs = np.array([(*own[key], *problems[baseline][key]) for key in shared]).reshape(-1, 4)
        ratio = ratio_of_running_times(
            pairs, [key[0] for key in shared], np.random.default_rng(0), of_groups=comparison.over_countries
        )  # fmt: skip
        rows.append((name, *ratio, len(shared), baseline))
    frame = pd.DataFrame(rows, columns=["method", "ratio", "low", "high", "problems", "baseline"])
    frame = frame.sort_values("ratio", kind="stable", ignore_index=True)
    return Picture(
        "relative",
        f"Evaluations needed, relative to {baseline}",
        f"{_who(comparison)}. Expected evaluations to a loss of {comparison.target:g} (ERT), over those of "
        f"{baseline}, on the pairs of country and seed that both were run on (column 'problems' is n). "
        f"A line is the 95 % interval, a bootstrap of pairs {comparison.drawn}; an arrow leads beyond what "
        "was run. Left of 1 fewer evaluations are needed.",
        frame,
        relative,
        0.8 + 0.3 * len(frame),
    )


def _usual_baseline(comparison: Comparison) -> str:
    """Random search or, where that does not reach the target, the slowest method that does."""
    runtimes = comparison.runtimes()
    for name, runtime in runtimes.items():
        if name.split(",")[0] == "random" and runtime.reached:
            return name
    reached = {name: one.value for name, one in runtimes.items() if one.reached}
    return max(reached, key=lambda name: reached[name]) if reached else next(iter(runtimes))


def _spent(comparison: Comparison, cells: list[Cell]) -> dict[tuple[str, str], tuple[float, float]]:
    """Evaluations spent and whether the target was reached, by country and seed."""
    found = {}
    for cell in cells:
        spent, reached = cell.spent(comparison.target)
        found[cell.country, str(cell.settings.get("seed"))] = float(spent), float(reached)
    return found


def _losses(comparison: Comparison) -> Picture:
    import pandas as pd

    rows = [
        (
            cell.method,
            cell.country,
            cell.settings.get("seed"),
            float(cell.best[-1]),
            comparison.unit,
        )
        for cells in comparison.by_method.values()
        for cell in cells
        if np.isfinite(cell.best[-1])
    ]
    frame = pd.DataFrame(rows, columns=["method", "country", "seed", "loss", "unit"])
    return Picture(
        "losses",
        "Where searches end",
        f"{_who(comparison)}. The best loss in the end ({comparison.unit}) of every search, a circle "
        "each; the "
        "box holds the middle half and its line the median, whiskers reach as far as 1.5 boxes. No interval "
        f"of a mean. Lower is better; a search ends at {comparison.target:g}.",
        frame,
        boxes,
        0.9 + 0.42 * frame["method"].nunique(),
    )
