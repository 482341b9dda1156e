"""Assessment: what a model's answers are worth, beside what can be had without one."""

from ..surveys.instruments import load_instrument
from .asking import Asking, ask
from .assess import assess
from .conditions import Condition, parse_condition
from .figures import Resampling
from .score import score

__all__ = [
    "Asking",
    "Condition",
    "Resampling",
    "ask",
    "assess",
    "load_instrument",
    "parse_condition",
    "score",
]
