"""Results: what was done, as values that are read without a model and without torch."""

from .language import Language
from .result import (
    Asked,
    Figure,
    ItemAnswers,
    Provenance,
    Result,
    Searched,
    Split,
)

__all__ = [
    "Asked",
    "Figure",
    "ItemAnswers",
    "Language",
    "Provenance",
    "Result",
    "Searched",
    "Split",
]
