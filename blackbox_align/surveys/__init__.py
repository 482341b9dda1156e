"""Surveys as data: items, scales, the indices scored from them, and how answers are read out."""

from .loading import survey_names
from .reading import load_survey
from .readouts import READOUTS, check_sample, item_means
from .survey import Index, Item, Scale, Survey

__all__ = [
    "READOUTS",
    "Index",
    "Item",
    "Scale",
    "Survey",
    "check_sample",
    "item_means",
    "load_survey",
    "survey_names",
]
