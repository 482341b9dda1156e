"""What is applied to a model as values, where a search starts, and how its vectors become adapters."""

from .adapter import PLACEMENTS, Adapter, Gate, Lora, Placement, SoftPrompt, check_placement
from .parameterization import FullSpace, Parameterization, RandomSubspace, parameterize
from .starts import (
    INITIALIZATIONS,
    embedding_std,
    from_text,
    from_vocabulary,
    word_norm,
    zeros,
)

__all__ = [
    "INITIALIZATIONS",
    "PLACEMENTS",
    "Adapter",
    "FullSpace",
    "Gate",
    "Lora",
    "Parameterization",
    "Placement",
    "RandomSubspace",
    "SoftPrompt",
    "check_placement",
    "embedding_std",
    "from_text",
    "from_vocabulary",
    "parameterize",
    "word_norm",
    "zeros",
]
