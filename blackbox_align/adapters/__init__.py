"""Soft prompts: where a search starts, and how its vectors become virtual tokens."""

from .parameterization import FullSpace, Parameterization, RandomSubspace, parameterize
from .starts import INITIALIZATIONS, from_text, from_vocabulary, zeros

__all__ = [
    "INITIALIZATIONS",
    "FullSpace",
    "Parameterization",
    "RandomSubspace",
    "from_text",
    "from_vocabulary",
    "parameterize",
    "zeros",
]
