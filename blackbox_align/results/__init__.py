"""Results: what was done, as values that are read without a model and without torch."""

from .checklist import Checklist
from .result import (
    Asked,
    Figure,
    ItemAnswers,
    Language,
    Provenance,
    Result,
    Searched,
    Split,
)

__all__ = [
    "Asked",
    "Checklist",
    "Figure",
    "ItemAnswers",
    "Language",
    "Provenance",
    "Result",
    "Searched",
    "Split",
]
