"""Objectives: from answers to losses and residuals, for one country or many at once."""

from .base import Objective
from .constants import Constants
from .indices import IndexObjective, mean_absolute_error
from .opinions import OpinionObjective, SplitOpinions
from .weighted import WeightedSum, parse_objective

__all__ = [
    "Constants",
    "IndexObjective",
    "Objective",
    "OpinionObjective",
    "SplitOpinions",
    "WeightedSum",
    "mean_absolute_error",
    "parse_objective",
]
