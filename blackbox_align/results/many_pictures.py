"""The pictures of many fits: a world map, and a map of countries by two indices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..plots.maps import BORDERS, cultural_map, places, world_map
from ..plots.picture import Picture
from .names import COLUMNS, FITTED, NONE, PEOPLE
from .result import Result
from .tables import ASKED, DISTANCE, ERROR, distances, errors, index_rows, indices_of, opinions_of

if TYPE_CHECKING:
    import pandas as pd

MOST_ARROWS = 40
"""More countries than these cannot be told apart on one map of arrows."""


def summary_frame(named: Sequence[tuple[str, Result]]) -> pd.DataFrame:
    """One row per run and population: errors in index points, held-out distances, and the search."""
    import pandas as pd

    rows = []
    for name, result in named:
        search = result.search
        for code, country in result.provenance.populations.items():
            row: dict[str, Any] = {
                "run": name,
                "code": code,
                "country": country,
                "model": result.provenance.model,
            }
            if search:
                row |= {
                    "optimizer": search.optimizer, "seed": search.seed,
                    "evaluations": search.evaluations, "reached_after": search.reached.get(code),
                }  # fmt: skip
            for condition, error in zip(ASKED, errors(result, code), strict=True):
                row[f"error_{COLUMNS[condition]}"] = error
            for condition, distance in zip(ASKED, distances(result, code), strict=True):
                row[f"held_out_{COLUMNS[condition]}"] = distance
            rows.append(row)
    frame = pd.DataFrame(rows)
    if "reached_after" in frame:
        frame["reached_after"] = frame["reached_after"].astype("Int64")
    return frame.dropna(axis=1, how="all") if len(frame) > 1 else frame


def many_pictures(named: Sequence[tuple[str, Result]]) -> list[Picture]:
    """A world map of what fitting reached, and a cultural map, where there are countries for them."""
    frame = summary_frame(named)
    found = [one for one in (_world(frame), *_cultural([r for _, r in named])) if one is not None]
    return found


def _world(frame: pd.DataFrame) -> Picture | None:
    import pandas as pd

    column, metric = next(
        ((c, m) for c, m in ((f"held_out_{COLUMNS[FITTED]}", DISTANCE), (f"error_{COLUMNS[FITTED]}", ERROR))
         if c in frame and frame[c].notna().any()), ("", ""),
    )  # fmt: skip
    if not column:
        return None
    by_code = frame.groupby("code", sort=True).agg(
        country=("country", "first"), value=(column, "median"), runs=("run", "size")
    )
    by_code = by_code.loc[places(list(by_code.index))].reset_index()
    if len(by_code) < 2:
        return None
    unit = (
        "JS distance on held-out questions (nats), fitted"
        if metric == DISTANCE
        else "mean absolute error, fitted (index points)"
    )
    edges = _edges(by_code["value"].to_numpy(float))
    step = np.clip(np.searchsorted(edges, by_code["value"], side="left"), 1, len(edges) - 1)
    shown = [f"{edges[n - 1]:.3g} to {edges[n]:.3g}" for n in step]
    by_code = by_code.assign(step=step, range=shown, unit=unit)
    several = int(by_code["runs"].max())
    off = sorted(set(frame["code"]) - set(by_code["code"]))
    caption = (
        f"{unit[0].upper() + unit[1:]} of simulated answers, {len(by_code)} countries"
        + (
            f", the median of up to {several} searches each"
            if several > 1
            else ", n = 1 search each"
        )
        + "; no interval. Five steps of equal numbers of countries, where there are as many values. Equal "
        "Earth projection, areas in proportion; countries that it is too coarse for are dots; hatched: no "
        f"data. {BORDERS}" + (f" Not on the map: {', '.join(off)}." if off else "")
    )
    frame = pd.DataFrame(by_code)
    return Picture("world-map", "Around the world: how far fitted answers stay from people's", caption,
                   frame, world_map, 3.1)  # fmt: skip


def _edges(values: np.ndarray) -> np.ndarray:
    """Ends of at most five steps with as many values each, no step twice."""
    steps = min(5, len(np.unique(values)))
    edges = np.unique(np.quantile(values, np.linspace(0, 1, steps + 1)))
    return edges if len(edges) > 1 else np.array([edges[0], edges[0]])


def _cultural(results: Sequence[Result]) -> list[Picture]:
    """Countries by the two indices in which people differ most, or by the main directions of shares."""
    for frame, how in (_by_indices(results), _by_shares(results)):
        if frame is not None and frame["code"].nunique() > 1:
            codes = list(dict.fromkeys(frame["code"]))
            left_out = len(codes) - MOST_ARROWS
            frame = frame[frame["code"].isin(codes[:MOST_ARROWS])]
            caption = (
                f"Where {min(len(codes), MOST_ARROWS)} countries lie: circles un-prompted, filled fitted, "
                f"diamonds people; arrows lead from un-prompted to fitted to people. {how} Means over the "
                "searches of a country; single positions, hence no interval."
                + (f" {left_out} more countries are left out, by code." if left_out > 0 else "")
            )
            return [Picture("cultural-map", "From un-prompted to fitted to people", caption, frame,
                            cultural_map, 4.4)]  # fmt: skip
    return []


def _by_indices(results: Sequence[Result]) -> tuple[pd.DataFrame | None, str]:
    found: dict[tuple[str, str], list[tuple[float, ...]]] = {}
    titles: dict[str, str] = {}
    for result in results:
        if indices_of(result) is None:
            continue
        for code in result.provenance.populations:
            rows = index_rows(result, code)
            titles |= {row.name: row.title for row in rows}
            columns = zip(*(row.points for row in rows), strict=True)
            points = dict(zip(ASKED, columns, strict=True))
            found.setdefault((code, "un-prompted"), []).append(points[NONE])
            found.setdefault((code, "fitted"), []).append(points[FITTED])
            found.setdefault((code, "people"), []).append(tuple(row.target for row in rows))
    if not found or len({len(one) for many in found.values() for one in many}) > 1:
        return None, ""
    means = {key: np.mean(many, axis=0) for key, many in found.items()}
    people = np.array([mean for (_, place), mean in means.items() if place == "people"])
    if len(people) < 2 or people.shape[1] < 2:
        return None, ""
    spread = np.nan_to_num(np.nanstd(people, axis=0))
    x, y = sorted(np.argsort(-spread, kind="stable")[:2])
    names = list(titles)
    labels = [f"{names[n]} {titles[names[n]]} (points)" for n in (x, y)]
    rows_ = [
        (code, place, float(mean[x]), float(mean[y]), *labels)
        for (code, place), mean in means.items()
        if math.isfinite(mean[x]) and math.isfinite(mean[y])
    ]
    how = "Axes are the two indices in which the published figures of these countries differ most."
    return _frame(rows_), how


def _by_shares(results: Sequence[Result]) -> tuple[pd.DataFrame | None, str]:
    """The first two principal components of people's shares, the others projected on them."""
    words = {NONE: "un-prompted", FITTED: "fitted", PEOPLE: "people"}
    found: dict[tuple[str, str], dict[tuple[str, int], float]] = {}
    for result in results:
        opinions = opinions_of(result)
        for one in result.answers:
            if opinions is None or one.instrument != opinions.name or one.condition not in words:
                continue
            for code in [one.population] if one.population else result.provenance.populations:
                cells = found.setdefault((code, words[one.condition]), {})
                for item, shares in zip(one.items, one.probabilities, strict=True):
                    cells |= {(item, n): share for n, share in enumerate(shares)}
    people = {code for code, place in found if place == "people"}
    known = {key: cells for key, cells in found.items() if key[0] in people}
    if len(people) < 3:
        return None, ""
    shared = sorted(set.intersection(*(set(cells) for cells in known.values())))
    if len(shared) < 2:
        return None, ""
    table = {key: np.array([cells[one] for one in shared]) for key, cells in known.items()}
    own = np.array([row for (_, place), row in table.items() if place == "people"])
    middle = own.mean(axis=0)
    _, sizes, axes = np.linalg.svd(own - middle, full_matrices=False)
    part = sizes**2 / (sizes**2).sum()
    labels = [
        f"component {n + 1} of people's shares ({100 * part[n]:.0f} % of variance)"
        for n in range(2)
    ]
    places_ = {key: (row - middle) @ axes[:2].T for key, row in table.items()}
    rows = [(code, place, float(x), float(y), *labels) for (code, place), (x, y) in places_.items()]
    items = len({item for item, _ in shared})
    how = f"Axes are the first two principal components of people's shares on {items} questions."
    return _frame(rows), how


def _frame(rows: list[Any]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows, columns=["code", "place", "x", "y", "x_axis", "y_axis"])
