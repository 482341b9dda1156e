"""Figures of one population: what fitting changed, in figures and in answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from .style import (
    INK,
    LADDER,
    MUTED,
    PAPER,
    SERIES,
    legend_above,
    many_bars,
    many_dots,
    plain_log,
    rows_down,
    shortened,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

# A hollow diamond for people, through which what was fitted is seen where the two are one.
_MARKS = {
    "target": ("people (target)", "D", INK, "none"),
    "unprompted": ("un-prompted", "o", MUTED, PAPER),
    "country_in_text": ("country in text", "s", SERIES[1], SERIES[1]),
    "fitted": ("fitted", "o", SERIES[0], SERIES[0]),
}


def dumbbell(frame: pd.DataFrame, ax: Axes) -> None:
    """Columns ``index``, ``title``, ``target``, ``unprompted``, ``country_in_text``, ``fitted`` (points)."""
    columns = [name for name in _MARKS if name in frame]
    values = frame[columns].to_numpy(float)
    for row, (low, high) in enumerate(
        zip(np.nanmin(values, axis=1), np.nanmax(values, axis=1), strict=True)
    ):
        ax.plot([low, high], [row, row], color=MUTED, linewidth=1, zorder=1)
    for order, name in enumerate(columns):
        words, mark, edge, face = _MARKS[name]
        size = 76 if name == "target" else 32
        ax.scatter(
            frame[name], range(len(frame)), s=size, marker=mark, edgecolors=edge, facecolors=face,
            linewidths=1.3, label=words, zorder=5 if name == "target" else 2 + order / 10,
        )  # fmt: skip
    named = zip(frame["index"], frame["title"], strict=True)
    rows_down(ax, [f"{index} {shortened(title, 26)}" for index, title in named])
    ax.set_xlabel("index (points of a scale of about 0 to 100)")
    legend_above(ax, 2)


def convergence(frame: pd.DataFrame, ax: Axes) -> None:
    """Columns ``evaluation``, ``loss``, ``best``; ``target`` may be NaN; ``unit`` names the axis.

    Of more than 1,000 evaluations every n-th is a dot; the line is whole.
    """
    import pandas as pd

    known = frame[np.isfinite(frame["loss"].to_numpy(float))]
    shown = known.iloc[:: max(1, -(-len(known) // 1000))]
    if len(known) and float(known["loss"].min()) > 0:
        ax.set_yscale("log")
    many_dots(ax, shown["evaluation"], shown["loss"], "evaluations")
    steps = frame[frame["best"].ne(frame["best"].shift())]
    steps = pd.concat([steps, frame.tail(1)])
    ax.step(steps["evaluation"], steps["best"], where="post", color=SERIES[0], label="best so far")
    target = float(frame["target"].iloc[0])
    if np.isfinite(target) and target > 0:
        ax.axhline(
            target, color=INK, linestyle=(0, (4, 3)), linewidth=1, label=f"target {target:g}"
        )
    if ax.get_yscale() == "log":
        plain_log(ax)
    ax.set_xlabel("evaluations of one candidate")
    ax.set_ylabel(f"loss ({frame['unit'].iloc[0]})")
    ax.grid(axis="y")
    legend_above(ax, 3)


def intervals(frame: pd.DataFrame, ax: Axes) -> None:
    """Columns ``name``, ``value``, ``low``, ``high``, ``kind`` (asked or baseline), ``unit``."""
    rows: Iterable[Any] = frame.itertuples(index=False)
    for row, one in enumerate(rows):
        model = one.kind != "baseline"
        colour = SERIES[0] if one.kind == "fitted" else INK if model else MUTED
        ax.plot([one.low, one.high], [row, row], color=colour, linewidth=2, solid_capstyle="butt")
        ax.scatter(
            [one.value], [row], s=40, marker="o" if model else "s", edgecolors=colour,
            facecolors=colour if one.kind == "fitted" else PAPER, linewidths=1.4, zorder=3,
        )  # fmt: skip
    rows_down(ax, [shortened(name, 34) for name in frame["name"]])
    if len(frame) and str(frame["unit"].iloc[0]).startswith("difference"):
        ax.axvline(0, color=INK, linewidth=1)
    ax.set_xlabel(str(frame["unit"].iloc[0]) if len(frame) else "")


def shares(frame: pd.DataFrame, ax: Axes) -> None:
    """Columns ``item``, ``condition``, ``option`` (1 to n), ``probability``: stacked bars, item by item."""
    items = list(dict.fromkeys(frame["item"]))
    conditions = list(dict.fromkeys(frame["condition"]))
    thick = 0.8 / len(conditions)
    table = frame.pivot_table("probability", ["item", "condition"], "option")
    width = len(table.columns)
    colours = [LADDER[round(n * (len(LADDER) - 1) / max(1, width - 1))] for n in range(width)]
    for place, condition in enumerate(conditions):
        rows = np.nan_to_num(table.reindex([(item, condition) for item in items]).to_numpy(float))
        at = np.arange(len(items)) - 0.4 + thick * (place + 0.5)
        left = np.zeros(len(items))
        for option in range(width):
            size = rows[:, option]
            boxes = np.column_stack(
                [left, at - thick * 0.43, size, np.full(len(items), thick * 0.86)]
            )
            many_bars(ax, boxes, colours[option], f"option {option + 1}" if place == 0 else None)
            left = left + size
        for row in range(len(items)):
            ax.text(1.01, at[row], condition, va="center", fontsize=7.5, color=INK)
    rows_down(ax, [shortened(item, 24) for item in items])
    ax.grid(visible=False)
    ax.set_xlim(0, 1)
    ax.set_xlabel("share of simulated answers (people: of respondents)")
    legend_above(ax, min(5, width), handleheight=0.9, handlelength=1.1)


def gains(frame: pd.DataFrame, ax: Axes) -> None:
    """Columns ``population``, ``gain``, ``unit``: a dot per configuration, a bar at the median."""
    names = list(dict.fromkeys(frame["population"]))
    for row, name in enumerate(names):
        values = np.sort(frame.loc[frame["population"] == name, "gain"].to_numpy(float))
        ax.scatter(
            values, row + 0.22 * np.sin(np.arange(len(values)) * 2.4), s=14, edgecolors=SERIES[0],
            facecolors=PAPER, linewidths=0.9, zorder=3,
        )  # fmt: skip
        middle = float(np.median(values))
        ax.plot([middle, middle], [row - 0.38, row + 0.38], color=INK, linewidth=2)
    rows_down(ax, [shortened(str(name), 24) for name in names])
    ax.axvline(0, color=INK, linewidth=1)
    ax.set_xlabel(str(frame["unit"].iloc[0]))
