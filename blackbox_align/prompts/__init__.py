"""Soft prompts: where a search starts, and how its vectors become virtual tokens."""

from .initialization import INITIALIZATIONS, from_text, from_vocabulary, zeros
from .parameterization import FullSpace, Parameterization, RandomSubspace, parameterize

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
