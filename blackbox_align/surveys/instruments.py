"""Instruments: a questionnaire with what people answered, or what is right, and how answers are measured.

===============  =================================================================================
:class:`Indices`    a survey that is read through indices, and published figures of them
:class:`Opinions`   a survey, and the shares of people's answers to it
:class:`Knowledge`  a test with right answers
===============  =================================================================================
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import SpecificationError
from ..populations import TargetSet, find_population
from .index_instrument import Indices
from .instrument import Instrument, Measured
from .knowledge_instrument import Knowledge, question_scores
from .opinion_instrument import Opinions, shares_by_country
from .opinions import OpinionSurvey
from .reading import Questionnaire, load_instrument
from .survey import NO_ANSWERS, Survey

__all__ = [
    "Indices",
    "Instrument",
    "Knowledge",
    "Measured",
    "Opinions",
    "Questionnaire",
    "instrument_of",
    "load_instrument",
    "question_scores",
    "shares_by_country",
]


def instrument_of(
    held: Questionnaire,
    *,
    targets: TargetSet | None = None,
    samples: str = "national",
    missing: str = "drop",
    populations: Sequence[str] | None = None,
) -> Instrument:
    """What a file held as an instrument, asked of some ``populations`` (codes, names), None being all.

    ``targets`` belong to a survey with indices, ``samples`` and how ``missing`` answers were read to
    opinions.

    Raises
    ------
    SpecificationError, UnknownNameError
        A survey without indices or targets, or a population that there is nothing known of.
    """
    if isinstance(held, Survey):
        if not held.indices:
            raise SpecificationError(f"{held.title} has no indices and {NO_ANSWERS}")
        if targets is None:
            raise SpecificationError(f"{held.title} is compared with figures: name a target set.")
        made: Instrument = Indices(held, targets)
    elif isinstance(held, OpinionSurvey):
        made = Opinions.of(held, samples, missing)
    else:
        made = Knowledge(held)
    if populations is None:
        return made
    groups = held if isinstance(held, OpinionSurvey) else None
    return made.select([find_population(name, groups) for name in populations])
