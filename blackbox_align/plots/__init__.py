"""Plots: tidy tables in, matplotlib's Axes out. matplotlib is imported when one is drawn."""

from typing import TYPE_CHECKING

from .picture import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Axes

__all__ = ["Picture"]
