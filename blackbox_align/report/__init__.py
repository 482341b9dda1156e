"""The report: results as one page that needs no network and no script, with a CSV beside every figure."""

from .page import Page, write_page
from .pages import (
    Fitted,
    comparison_page,
    fit_page,
    fits_page,
    multiverse_parts,
    result_page,
)
from .studies import is_study, study_page

__all__ = [
    "Fitted",
    "Page",
    "comparison_page",
    "fit_page",
    "fits_page",
    "is_study",
    "multiverse_parts",
    "result_page",
    "study_page",
    "write_page",
]
