"""Maps: the world by country, and countries by what people and models answer."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from .style import INK, LADDER, LAND, MUTED, PAPER, SERIES, legend_above

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

BORDERS = (
    "Borders are those of Natural Earth (1:110m, public domain): who holds a place in fact, and no opinion "
    "on who should."
)


@lru_cache
def world() -> dict[str, Any]:
    """``shapes``: rings (lon, lat, lon, lat, ...) in tenths of a degree by code; ``points``: [lon, lat]."""
    value: dict[str, Any] = json.loads(
        (files(__package__) / "world" / "world.json").read_text(encoding="utf-8")
    )
    return value


def equal_earth(longitude: np.ndarray, latitude: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Equal Earth coordinates of degrees (Savric, Patterson and Jenny 2019, eq. 1 to 4)."""
    a1, a2, a3, a4 = 1.340264, -0.081106, 0.000893, 0.003796
    theta = np.arcsin(np.sqrt(3) / 2 * np.sin(np.radians(latitude)))
    t2, t6 = theta**2, theta**6
    slope = 9 * a4 * theta**2 * t6 + 7 * a3 * t6 + 3 * a2 * t2 + a1
    x = 2 * np.sqrt(3) * np.radians(longitude) * np.cos(theta) / (3 * slope)
    y = theta * (a4 * theta**2 * t6 + a3 * t6 + a2 * t2 + a1)
    return x, y


def world_map(frame: pd.DataFrame, ax: Axes) -> None:
    """Columns ``code``, ``value``, ``step`` (1 to 5), ``range`` (of its step) and ``unit``.

    A land without a row is hatched; one too small for the map is a dot.
    """
    from matplotlib.collections import PathCollection
    from matplotlib.path import Path

    step = dict(zip(frame["code"], frame["step"].astype(int), strict=True))
    shapes: dict[int, list[Path]] = {}
    for code, rings in world()["shapes"].items():
        shapes.setdefault(step.get(code, 0), []).extend(
            Path(np.column_stack(equal_earth(*(np.array(ring).reshape(-1, 2).T / 10))))
            for ring in rings
        )
    ranges = dict(zip(frame["step"].astype(int), frame["range"], strict=True))
    for number in range(6):
        colour = LAND if number == 0 else LADDER[number - 1]
        paths = shapes.get(number, [])
        ax.add_collection(
            PathCollection(
                [Path.make_compound_path(*paths)] if paths else [], facecolors=colour,
                edgecolors=MUTED if number == 0 else PAPER, linewidths=0.35,
                hatch="////" if number == 0 else None,
            )
        )  # fmt: skip
        if number in ranges or number == 0:
            label = ranges.get(number, "no data")
            ax.fill_between(
                [], [], color=colour, label=label, hatch="////" if number == 0 else None,
                edgecolor=MUTED, linewidth=0.5,
            )  # fmt: skip
    _dots(ax, step)
    ax.set_xlim(-2.75, 2.75)
    ax.set_ylim(-1.05, 1.32)
    ax.set_aspect("equal")
    ax.axis("off")
    legend_above(ax, 3, title=str(frame["unit"].iloc[0]), alignment="left", handleheight=1.0)


def _dots(ax: Axes, step: dict[str, int]) -> None:
    """Countries that the shapes lack."""
    small = [c for c in step if c not in world()["shapes"] and c in world()["points"]]
    if small:
        x, y = equal_earth(*np.array([world()["points"][code] for code in small]).T)
        colours = [LADDER[step[code] - 1] for code in small]
        ax.scatter(x, y, s=22, color=colours, edgecolors=INK, linewidths=0.7, zorder=3)


def places(codes: list[str]) -> list[str]:
    """Those of ``codes`` that the map knows, as a land or as a dot."""
    return [code for code in codes if code in world()["shapes"] or code in world()["points"]]


def cultural_map(frame: pd.DataFrame, ax: Axes) -> None:
    """Columns ``code``, ``place`` (un-prompted, fitted, people), ``x``, ``y``, ``x_axis``, ``y_axis``."""
    looks = {
        "un-prompted": ("o", MUTED, PAPER),
        "fitted": ("o", SERIES[0], SERIES[0]),
        "people": ("D", INK, PAPER),
    }
    wide = frame.pivot_table(["x", "y"], "code", "place", sort=False)
    for code in wide.index:
        points = [
            (float(wide.loc[code, ("x", place)]), float(wide.loc[code, ("y", place)]))
            for place in looks
            if ("x", place) in wide and np.isfinite(wide.loc[code, ("x", place)])
        ]
        for start, end, colour in zip(points, points[1:], (MUTED, SERIES[0]), strict=False):
            ax.annotate(
                "", end, start,
                arrowprops={"arrowstyle": "->", "color": colour, "lw": 0.9, "shrinkA": 2, "shrinkB": 2},
            )  # fmt: skip
        ax.annotate(
            str(code), points[-1], xytext=(3, 3), textcoords="offset points", fontsize=7, color=INK
        )
    for place, (mark, edge, face) in looks.items():
        rows = frame[frame["place"] == place]
        ax.scatter(
            rows["x"], rows["y"], s=20, marker=mark, edgecolors=edge, facecolors=face, linewidths=1,
            label=place, zorder=3,
        )  # fmt: skip
    ax.set_xlabel(str(frame["x_axis"].iloc[0]))
    ax.set_ylabel(str(frame["y_axis"].iloc[0]))
    ax.grid()
    legend_above(ax, 3)
