"""Objectives: from answers to losses and residuals, for one country or many at once."""

from .constants import Constants
from .indices import IndexObjective, mean_absolute_error

__all__ = ["Constants", "IndexObjective", "mean_absolute_error"]
