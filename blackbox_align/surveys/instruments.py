"""Instruments: a questionnaire with what people answered, or what is right, and how answers are measured.

===============  =================================================================================
:class:`Indices`    a survey that is read through indices, and published figures of them
:class:`Opinions`   a survey, and the shares of people's answers to it
:class:`Knowledge`  a test with right answers
===============  =================================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import SpecificationError, UnknownNameError
from ..files.hub import SCHEME, fetch_data_file
from ..files.yaml import read_yaml
from ..populations import TargetSet, find_population
from .index_instrument import Indices
from .instrument import Instrument, Measured
from .knowledge import KnowledgeTest, is_knowledge_test, load_knowledge
from .knowledge_instrument import Knowledge, question_scores
from .loading import load_survey, survey_names
from .opinion_files import load_opinions, opinion_names
from .opinion_instrument import Opinions, shares_by_country
from .opinion_yaml import is_opinion_yaml
from .opinions import OpinionSurvey
from .survey import Survey

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

Questionnaire = Survey | OpinionSurvey | KnowledgeTest
"""What a file can hold."""


def load_instrument(name_or_file: str | Path, *, missing: str = "drop") -> Questionnaire:
    """A survey or an opinion survey by name or YAML file, or one of opinions or knowledge in any
    other form; :func:`instrument_of` makes an :class:`Instrument` of it.

    A file may lie on the Hugging Face hub: ``hf://datasets/OWNER/NAME/FILE``.

    Raises
    ------
    UnknownNameError, DataFileError
        There is none of that name, or the file has a mistake or cannot be fetched.
    """
    text = str(name_or_file)
    if text.startswith(SCHEME):
        file, address = fetch_data_file(text)
        fetched = load_instrument(file, missing=missing)
        if isinstance(fetched, Survey):
            return replace(fetched, source=address)
        return replace(fetched, survey=replace(fetched.survey, source=address))
    if text.endswith((".yaml", ".yml")):
        if not is_opinion_yaml(read_yaml(Path(text))):
            return load_survey(text)
    elif not (Path(text).suffix or "/" in text):
        if text in survey_names():
            return load_survey(text)
        if text not in opinion_names():
            names = [*survey_names(), *opinion_names()]
            raise UnknownNameError("survey", text, names, "See `bbalign surveys`, or name a file.")
    elif is_knowledge_test(text):
        return load_knowledge(text)
    return load_opinions(text, missing=missing)


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
