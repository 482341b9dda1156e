"""The same questions behind another wording of the instruction, which is found to matter more than order."""

from __future__ import annotations

import re
from dataclasses import replace

from ..errors import SpecificationError
from ..results import Result
from ..surveys.index_instrument import Indices
from ..surveys.instrument import Instrument
from ..surveys.knowledge_instrument import Knowledge
from ..surveys.opinion_instrument import Opinions
from ..surveys.survey import Survey
from .assess import Trial

SECOND = ", second wording"
_INSTRUCTION = (
    "First the possible replies are listed, then comes a question. Choose the one reply that fits."
)


def reworded(survey: Survey) -> Survey:
    """The survey with our second instruction; its last sentence, which says what to reply with, stays."""
    last = re.split(r"(?<=[.!?])\s+", survey.instruction.strip())[-1]
    return replace(survey, instruction=f"{_INSTRUCTION} {last}".strip())


def in_other_words(instrument: Instrument) -> Instrument | None:
    """The instrument under :func:`reworded`; None for a kind that is not ours."""
    if isinstance(instrument, Opinions):
        opinions = replace(instrument.opinions, survey=reworded(instrument.survey))
        return replace(instrument, opinions=opinions)
    if isinstance(instrument, Indices):
        return replace(instrument, survey=reworded(instrument.survey))
    if isinstance(instrument, Knowledge):
        return Knowledge(replace(instrument.test, survey=reworded(instrument.survey)))
    return None


def with_second_wording(result: Result, trial: Trial) -> Result:
    """``result`` with its headline figures in the second wording, asked anew, as metrics beside.

    Raises :class:`SpecificationError` where there is no model, or an instrument of another kind than ours.
    """
    reworded_one = in_other_words(trial.instrument)
    if reworded_one is None or trial.engine is None:
        raise SpecificationError(
            "A second wording needs a model, and an instrument of this package."
        )
    other = replace(trial, instrument=reworded_one).result()
    instruments = []
    figures = list(result.figures)
    for asked in result.provenance.instruments:
        headline = [metric for metric in asked.metrics if metric.name in asked.headline]
        more = tuple(replace(m, name=m.name + SECOND, title=m.title + SECOND) for m in headline)
        instruments.append(
            replace(
                asked,
                metrics=asked.metrics + more,
                headline=asked.headline + tuple(m.name for m in more),
            )
        )
        names = {metric.name for metric in headline}
        figures += [
            replace(f, metric=f.metric + SECOND)
            for f in other.figures
            if f.metric in names and f.instrument == asked.name and not f.is_baseline
            and not any(f.minus == b.condition for b in result.figures if b.is_baseline)
        ]  # fmt: skip
    provenance = replace(result.provenance, instruments=tuple(instruments), wordings=2)
    note = f"The second wording of the instruction: {_INSTRUCTION!r}"
    return replace(result, figures=tuple(figures), provenance=provenance).with_notes(note)
