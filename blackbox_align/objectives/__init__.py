"""Objectives: from answers to losses and residuals, for one country or many at once."""

from .base import Objective
from .constants import Constants
from .function import FunctionObjective, is_function, written
from .indices import IndexObjective, mean_absolute_error
from .language import Language
from .opinions import OpinionObjective, SplitOpinions
from .weighted import INDICES, OPINIONS, WeightedSum, describe_objective, parse_objective

__all__ = [
    "INDICES",
    "OPINIONS",
    "Constants",
    "FunctionObjective",
    "IndexObjective",
    "Language",
    "Objective",
    "OpinionObjective",
    "SplitOpinions",
    "WeightedSum",
    "describe_objective",
    "is_function",
    "mean_absolute_error",
    "parse_objective",
    "written",
]
