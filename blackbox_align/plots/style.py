"""How all figures look: colours that stay apart in grey by their marks and dashes, and quiet axes.

The colours are those of a light page; a page in the dark takes others in their place, by the second
column of :data:`COLOURS`. Each is 3:1 or more against its page (WCAG 2.2, 1.4.11).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {
    "paper": ("#ffffff", "#16181d"),
    "ink": ("#1b1c20", "#eceef2"),
    "muted": ("#5b5f69", "#a9aeb9"),
    "grid": ("#dfe1e6", "#343842"),
    "land": ("#e9ebef", "#2a2e37"),
    "s1": ("#0b5cad", "#74b6ff"),
    "s2": ("#b8510a", "#ff9f5c"),
    "s3": ("#197a56", "#4fd1a0"),
    "s4": ("#7d3fd1", "#c7a6ff"),
    "s5": ("#b8225a", "#ff91b4"),
    "s6": ("#6f6100", "#e2d25f"),
    "s7": ("#0e7180", "#62d3e2"),
    "s8": ("#4b4f59", "#c3c8d2"),
    # A ladder from little to much; in the dark it is climbed the other way, so that much stands out.
    "l1": ("#d3e3f4", "#22384f"),
    "l2": ("#a3c6e8", "#2f577f"),
    "l3": ("#6ba2d6", "#4380b5"),
    "l4": ("#3576b4", "#76aee0"),
    "l5": ("#134a80", "#bcdcf8"),
}
"""Each name's colour on a light page and on a dark one; no two light ones are the same."""

PAPER, INK, MUTED, GRID, LAND = (
    COLOURS[name][0] for name in ("paper", "ink", "muted", "grid", "land")
)
SERIES = tuple(COLOURS[f"s{n}"][0] for n in range(1, 9))
LADDER = tuple(COLOURS[f"l{n}"][0] for n in range(1, 6))
MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES: tuple[Any, ...] = (
    "-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 1.5, 1, 1.5)), (0, (8, 3)), (0, (3, 1)),
    (0, (1, 3)), (0, (6, 2, 1, 2, 1, 2)),
)  # fmt: skip


def look(number: int) -> dict[str, Any]:
    """Colour, mark and dashes of the ``number``-th series."""
    n = number % len(SERIES)
    return {"color": SERIES[n], "marker": MARKS[n], "linestyle": DASHES[n]}


@contextmanager
def styled() -> Iterator[None]:
    """matplotlib's settings while one of our figures is drawn or written."""
    import matplotlib as mpl

    settings = {
        "font.size": 9, "axes.titlesize": 9, "axes.labelsize": 9, "legend.fontsize": 8.5,
        "xtick.labelsize": 8.5, "ytick.labelsize": 8.5, "svg.fonttype": "none",
        "svg.hashsalt": "blackbox_align", "pdf.fonttype": 42, "axes.spines.top": False,
        "axes.spines.right": False, "axes.edgecolor": MUTED, "axes.labelcolor": INK,
        "axes.linewidth": 0.8, "text.color": INK, "xtick.color": MUTED, "ytick.color": MUTED,
        "xtick.labelcolor": INK, "ytick.labelcolor": INK, "grid.color": GRID, "grid.linewidth": 0.8,
        "axes.grid": False, "axes.axisbelow": True, "axes.facecolor": "none",
        "figure.facecolor": "none", "savefig.facecolor": "none", "lines.linewidth": 1.6,
        "lines.markersize": 5, "legend.frameon": False, "axes.titlelocation": "left",
        "axes.titleweight": "bold", "hatch.linewidth": 0.6, "text.parse_math": False,
        "savefig.dpi": 200,
    }  # fmt: skip
    with mpl.rc_context(settings):
        yield


def rows_down(ax: Axes, names: list[str]) -> None:
    """Names of rows from the top down, with lines to follow along."""
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x")


def many_dots(ax: Axes, x: Any, y: Any, label: str, size: float = 2.4) -> None:
    """Quiet dots as one path: a thousand of them weigh a tenth of what markers do."""
    import numpy as np
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    points = np.column_stack([x, y]).astype(float)
    if len(points):
        # Lines of next to no length, for those of none are left out by some who draw.
        ends = points + np.array([1e-4 * max(1.0, float(np.ptp(points[:, 0]))), 0.0])
        corners = np.stack([points, ends], axis=1).reshape(-1, 2)
        path = Path(corners, np.tile([Path.MOVETO, Path.LINETO], len(points)))
        ax.add_patch(
            PathPatch(
                path, fill=False, edgecolor=MUTED, linewidth=size, capstyle="round", snap=False
            )
        )
        ax.update_datalim(points)
        ax.autoscale_view()
    ax.scatter([], [], s=12, color=MUTED, edgecolors="none", label=label)


def many_bars(ax: Axes, boxes: Any, colour: str, label: str | None) -> None:
    """Boxes (n, 4), rows of left, low, width, height, as one path of one colour."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    corners = [
        Path([(x, y), (x + w, y), (x + w, y + h), (x, y + h), (x, y)], closed=True)
        for x, y, w, h in boxes
        if w > 0
    ]
    if corners:
        ax.add_patch(
            PathPatch(
                Path.make_compound_path(*corners), facecolor=colour, edgecolor=PAPER, linewidth=0.4,
                label=label,
            )
        )  # fmt: skip


def legend_above(ax: Axes, columns: int = 3, **settings: Any) -> None:
    """A legend over the axes, where it hides nothing."""
    handles, labels = ax.get_legend_handles_labels()
    if handles:
        look = {"handlelength": 2.2, "columnspacing": 1.2, "handletextpad": 0.5, **settings}
        ax.figure.legend(handles, labels, loc="outside upper left", ncols=columns, **look)


def shortened(text: str, width: int) -> str:
    """A name that fits a figure; the table beside it has the whole."""
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"


def plain_log(ax: Axes) -> None:
    """1, 2, 5, 10 in the place of powers on the upright axis."""
    from matplotlib.ticker import LogLocator

    low, high = ax.get_ylim()
    steps = (1.0, 2.0, 5.0) if high / low < 500 else (1.0,)
    ax.yaxis.set_major_locator(LogLocator(base=10, subs=steps))
    plain_numbers(ax.yaxis)


def plain_numbers(axis: Any, form: str = "g") -> None:
    """Numbers in a ``form`` at the larger ticks of an axis, and nothing at the others."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, place: format(value, form)))
    axis.set_minor_formatter(NullFormatter())
