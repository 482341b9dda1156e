"""Figures of comparisons: how many evaluations methods need, and which are told apart."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from .style import (
    INK,
    LAND,
    MUTED,
    PAPER,
    SERIES,
    legend_above,
    look,
    plain_log,
    plain_numbers,
    rows_down,
    shortened,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def _methods(frame: pd.DataFrame) -> list[tuple[int, str, pd.DataFrame]]:
    names = list(dict.fromkeys(frame["method"]))
    return [(n, name, frame[frame["method"] == name]) for n, name in enumerate(names)]


def ecdf(frame: pd.DataFrame, ax: Axes) -> None:
    """Columns ``method``, ``evaluations`` or ``rounds``, ``share``: of all pairs of search and target, those
    reached.
    """
    unit = "rounds" if "rounds" in frame else "evaluations"
    for n, name, rows in _methods(frame):
        ax.step(
            rows[unit], rows["share"], where="post", markevery=max(1, len(rows) // 5), markersize=4.5,
            label=shortened(name, 30), **look(n),
        )  # fmt: skip
    ax.set_xscale("log")
    _plain_evaluations(ax, unit)
    ax.set_ylim(-0.02, 1.02)
    ax.set_ylabel("share of (search, target) reached")
    ax.grid()
    legend_above(ax, 2)


def anytime(frame: pd.DataFrame, ax: Axes) -> None:
    """Columns ``method``, ``evaluations``, ``median``, ``low``, ``high``, ``unit``."""
    for n, name, rows in _methods(frame):
        ax.fill_between(
            rows["evaluations"], rows["low"], rows["high"], color=SERIES[n % 8], alpha=0.13,
            linewidth=0,
        )  # fmt: skip
        ax.plot(
            rows["evaluations"], rows["median"], markevery=max(1, len(rows) // 5), markersize=4.5,
            label=shortened(name, 30), **look(n),
        )  # fmt: skip
    ax.set_xscale("log")
    _plain_evaluations(ax)
    if len(frame) and float(frame["low"].min()) > 0:
        ax.set_yscale("log")
        plain_log(ax)
    ax.set_ylabel(f"best loss so far ({frame['unit'].iloc[0]})" if len(frame) else "")
    ax.grid()
    legend_above(ax, 2)


def _plain_evaluations(ax: Axes, unit: str = "evaluations") -> None:
    plain_numbers(ax.xaxis, ",.0f")
    said = (
        "evaluations of one candidate"
        if unit == "evaluations"
        else "rounds of candidates side by side"
    )
    ax.set_xlabel(f"{said} (log scale)")


def critical_difference(frame: pd.DataFrame, ax: Axes) -> None:
    """Columns ``method``, ``rank``, ``critical_difference``, best first (Demsar 2006, fig. 1).

    A bar joins methods that are not told apart.
    """
    ranks = frame["rank"].to_numpy(float)
    width = float(frame["critical_difference"].iloc[0])
    rows_down(ax, [shortened(name, 30) for name in frame["method"]])
    ax.scatter(ranks, range(len(ranks)), s=40, color=INK, zorder=3)
    last = -1
    for first, start in enumerate(ranks):
        end = int(np.flatnonzero(ranks <= start + width)[-1])
        if end > first and end > last:
            ax.fill_betweenx(
                [first - 0.3, end + 0.3], start, ranks[end], color=SERIES[0], alpha=0.22,
                linewidth=0, zorder=1,
            )  # fmt: skip
            ax.plot([start, start], [first - 0.3, end + 0.3], color=SERIES[0], linewidth=2.2)
            last = end
    ax.set_xlim(0.8, len(ranks) + 0.2)
    ax.plot([1, min(1 + width, len(ranks))], [-0.42, -0.42], color=SERIES[1], linewidth=3)
    ax.set_ylim(len(ranks) - 0.5, -0.8)
    ax.text(
        1, -0.5, f"critical difference {width:.2f}", fontsize=8, color=INK, va="bottom", ha="left"
    )
    ax.set_xlabel("mean rank (1 is best)")


def relative(frame: pd.DataFrame, ax: Axes) -> None:
    """Columns ``method``, ``ratio``, ``low``, ``high``, ``baseline``; inf: not reached."""
    finite = frame[["ratio", "low", "high"]].to_numpy(float)
    finite = finite[np.isfinite(finite) & (finite > 0)]
    edge = 1.6 * max(1.0, float(finite.max())) if len(finite) else 2.0
    rows: Iterable[Any] = frame.itertuples(index=False)
    for row, one in enumerate(rows):
        if not np.isfinite(one.ratio):
            ax.text(edge, row, "not reached", ha="right", va="center", fontsize=8)
            continue
        high = min(one.high, edge)
        ax.plot([one.low, high], [row, row], color=SERIES[0], linewidth=2, solid_capstyle="butt")
        ax.scatter([one.ratio], [row], s=40, color=SERIES[0], zorder=3)
        if not np.isfinite(one.high):
            ax.scatter([edge], [row], marker=">", s=30, color=SERIES[0], zorder=3)
    ax.set_xscale("log")
    rows_down(ax, [shortened(name, 30) for name in frame["method"]])
    ax.axvline(1, color=INK, linewidth=1)
    plain_numbers(ax.xaxis)
    name = shortened(str(frame["baseline"].iloc[0]), 24) if len(frame) else ""
    ax.set_xlabel(f"ERT over that of {name}")


def boxes(frame: pd.DataFrame, ax: Axes) -> None:
    """Columns ``method``, ``loss``, ``unit``: a row per search; the box holds the middle half."""
    groups = _methods(frame)
    ax.boxplot(
        [rows["loss"].to_numpy(float) for _, _, rows in groups], orientation="horizontal",
        positions=range(len(groups)), widths=0.55, patch_artist=True, showfliers=False,
        boxprops={"facecolor": LAND, "edgecolor": MUTED},
        medianprops={"color": SERIES[0], "linewidth": 2.2},
        whiskerprops={"color": MUTED}, capprops={"color": MUTED},
    )  # fmt: skip
    for place, _, rows in groups:
        losses = rows["loss"].to_numpy(float)
        spread = place + 0.18 * np.sin(np.arange(len(losses)) * 2.4)
        ax.scatter(losses, spread, s=7, edgecolors=INK, facecolors=PAPER, linewidths=0.6, zorder=3)
    rows_down(ax, [shortened(name, 30) for _, name, _ in groups])
    ax.set_xlabel(f"best loss in the end ({frame['unit'].iloc[0]})" if len(frame) else "")
