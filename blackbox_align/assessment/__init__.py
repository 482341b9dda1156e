"""Assessment: what a model's answers are worth, beside what can be had without one."""

from ..populations import read_indices
from .baselines import mean_of_others, uniform
from .conditions import Condition, parse_condition
from .results import Score, ScoreTable
from .score import load_instrument, score

__all__ = [
    "Condition",
    "Score",
    "ScoreTable",
    "load_instrument",
    "mean_of_others",
    "parse_condition",
    "read_indices",
    "score",
    "uniform",
]
