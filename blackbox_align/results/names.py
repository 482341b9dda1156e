"""What conditions and baselines are called, in one place: tables, cards, files and pages say the same.

A condition that a user wrote (``text:...``, ``expert:...``) is called what the user wrote.
"""

from __future__ import annotations

NONE = "none"
COUNTRY_IN_TEXT = "icl"
ANSWERS_IN_TEXT = "answers"
FITTED = "fitted"
PEOPLE = "people"  # what people answered, or published figures: the condition that others are compared with

UNIFORM = "uniform"
MEAN_OF_OTHERS = "mean of other countries"
MEAN_OF_OTHER_GROUPS = "mean of other groups"
TEMPERED = "un-prompted, fitted temperature"
CORRECTED = "un-prompted, corrected"
MIXTURE, MIXTURE_OF_GROUPS = "mixture of other countries", "mixture of other groups"
MODE = "people's likeliest answer"
NOISE = (
    "people's sampling noise"  # the floor: what a sample of people as large as theirs would have
)
THREES = "all threes"
MIDDLES = "the middle of every scale"
ALWAYS_A, ALWAYS_TRUE, ALWAYS_FALSE = "always A", "always true", "always false"

BASELINES = frozenset(
    (
        *(UNIFORM, MODE, MEAN_OF_OTHERS, MEAN_OF_OTHER_GROUPS, MIXTURE, MIXTURE_OF_GROUPS),
        *(TEMPERED, CORRECTED, NOISE, THREES, MIDDLES),
        *(ALWAYS_A, ALWAYS_TRUE, ALWAYS_FALSE),
    )
)
"""Rows that ask no model, or not anew: tables print them in parentheses."""

TITLES = {
    NONE: "un-prompted",
    COUNTRY_IN_TEXT: "country in text",
    ANSWERS_IN_TEXT: "known answers in text",
    FITTED: "fitted",
    MODE: "people's top answer",
    MEAN_OF_OTHERS: "mean of others",
    MEAN_OF_OTHER_GROUPS: "mean of others",
    MIXTURE: "mixture of others",
    MIXTURE_OF_GROUPS: "mixture of others",
    TEMPERED: "un-prompted, tempered",
    CORRECTED: "corrected by answers",
    NOISE: "sampling noise",
}
"""How conditions are called where there is room for a few words."""

COLUMNS = {
    PEOPLE: "target",
    NONE: "unprompted",
    COUNTRY_IN_TEXT: "country_in_text",
    FITTED: "fitted",
    UNIFORM: "uniform",
    MEAN_OF_OTHERS: "mean_of_other_countries",
    MEAN_OF_OTHER_GROUPS: "mean_of_other_groups",
    TEMPERED: "unprompted_fitted_temperature",
    ANSWERS_IN_TEXT: "answers_in_text",
    CORRECTED: "unprompted_corrected",
    MIXTURE: "mixture_of_other_countries",
    MIXTURE_OF_GROUPS: "mixture_of_other_groups",
    MODE: "likeliest_answer",
    NOISE: "sampling_noise",
}
"""How the conditions of a fit are called in tables of pandas, and were in files of format 1."""

MEAN, ALL = "mean", "all"
"""Populations of a figure: the mean over populations, and over all questions whoever they are about."""


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun: ``1 question``, ``1,227 questions``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def title(condition: str) -> str:
    """A condition in words; a baseline stands in parentheses."""
    said = TITLES.get(condition, condition)
    return f"({said})" if condition in BASELINES else said
