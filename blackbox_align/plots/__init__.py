"""Plots: tidy tables in, matplotlib's Axes out. matplotlib is imported when one is drawn."""

from .picture import Picture

__all__ = ["Picture"]
