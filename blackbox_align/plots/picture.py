"""A figure before it is drawn: its numbers, and what has to be said beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import SpecificationError
from .style import styled

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

Draw = Callable[["pd.DataFrame", "Axes"], None]


@dataclass(frozen=True, eq=False)
class Picture:
    """A table and the way to draw it.

    Parameters
    ----------
    name : what its files are called
    title : what is seen, in a line
    caption : what was compared, with units, n, the interval and the target, for a reader who sees no more
    frame : all numbers that are drawn, tidy
    draw : puts a frame of this kind on Axes
    height, width : inches
    """

    name: str
    title: str
    caption: str
    frame: pd.DataFrame
    draw: Draw
    height: float
    width: float = 4.6

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw it in the style of all figures, on ``ax`` or on Axes of its own; returns the Axes.

        Raises :class:`..errors.SpecificationError` where matplotlib is not installed.
        """
        try:
            from matplotlib.figure import Figure
        except ImportError:
            raise SpecificationError(
                "Figures are drawn by matplotlib, which is not installed: pip install "
                "'blackbox-align[report]'."
            ) from None
        with styled():
            if ax is None:
                ax = Figure(figsize=(self.width, self.height), layout="constrained").subplots()
            self.draw(self.frame, ax)
        return ax
