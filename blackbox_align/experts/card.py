"""The card of an expert: what it is, what it scores, and what it must not be used for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..results import Language, Result
from ..results.language import describe_language, describe_lines
from ..results.names import FITTED
from ..results.tables import (
    constants_line,
    errors,
    index_rows,
    indices_of,
    opinion_rows,
    opinions_of,
    own_of,
    own_rows,
    points,
    questions,
    verdicts,
)

_INDEX_LIMITS = (
    "Not for judging individuals: survey indices describe samples, not persons.",
    "Not evidence that a model knows a culture: a low error is a fit to twelve differences of item "
    "means, and the validity of these indices is contested (Minkov 2018; Gerlach and Eriksson 2021).",
    "Not comparable with published scores of people without an anchor: the constants are a choice "
    "of this study.",
    "Not a stand-in for asking people.",
)
_OPINION_LIMITS = (
    "Not for judging individuals: shares of answers describe samples, not persons.",
    "Not evidence that a model knows a culture: a fitted prompt may do no more than find how sharp "
    "answers are there; read the held-out questions, beside the baselines.",
    "Not a stand-in for asking people.",
)
_OWN_LIMITS = (
    "Not for judging individuals, and not a stand-in for asking people.",
    "Not evidence of anything that its loss does not measure; the function is no part of this record.",
)


@dataclass(frozen=True)
class Card:
    """What an expert is: for whom, on which model, and the result that speaks for it.

    ``population`` is a code and ``name`` what people call it; ``profile`` says more of whom it stands
    for, as a router reads it; ``result`` is of this population alone; ``settings`` is what was asked;
    ``opening`` is what the model read around a question, and ``date`` the day that stands in it, if any.
    """

    population: str
    name: str
    model: str
    revision: str
    dtype: str
    result: Result
    profile: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    opening: str = ""
    date: str = ""

    @classmethod
    def of(cls, result: Result, population: str, settings: Mapping[str, Any] | None = None) -> Card:
        """The card of one population of a result."""
        own, provenance = result.of(population), result.provenance
        name = provenance.populations[population]
        return cls(
            population, name, provenance.model, provenance.revision, provenance.dtype, own,
            settings=settings or {},
        )  # fmt: skip

    @property
    def fitted_items(self) -> tuple[str, ...]:
        """The items that it was fitted to, where others were held out."""
        return self.result.provenance.fitted_items

    @property
    def answers(self) -> dict[str, dict[str, tuple[float, ...]]]:
        """The expert's own answers: shares of the options by instrument and item, where it was asked."""
        own = [asked for asked in self.result.answers if asked.condition == FITTED]
        return {
            asked.instrument: dict(zip(asked.items, asked.probabilities, strict=False))
            for asked in own
        }

    @property
    def language(self) -> Language | None:
        """What it leaves of its model's language; None where that was not measured."""
        return (self.result.language or {}).get(self.population)

    @property
    def speaks(self) -> bool:
        """Whether texts may be written under it: unless it is known to have lost the language."""
        return self.language is None or not self.language.lost

    @property
    def limits(self) -> tuple[str, ...]:
        """What it may not be used for, by what it was fitted to."""
        indices = _INDEX_LIMITS if indices_of(self.result) else ()
        opinions = _OPINION_LIMITS if opinions_of(self.result) else ()
        own = _OWN_LIMITS if own_of(self.result) else ()
        return tuple(dict.fromkeys(indices + opinions + own))

    def fits_indices(self, instrument: str, population: str) -> bool:
        """Whether it was fitted to the figures of this population on that questionnaire."""
        asked = indices_of(self.result)
        return asked is not None and (asked.name, self.population) == (instrument, population)


def render(card: Card, what: str, base: str, use: str, library: str) -> str:
    """The card in Markdown with the front matter that hubs read.

    ``what`` says what the expert is, ``base`` the model that it belongs to, ``use`` how it is applied
    and ``library`` with what.
    """
    sections = [*_opinions(card), *_indices(card), *_own(card), *_language(card)]
    refused = "\n".join(f"* {limit}" for limit in card.limits)
    notes = "".join(f"* {note}\n" for note in _notes(card))
    return f"""---
library_name: {library}
base_model: {json.dumps(base)}
tags: [blackbox-align]
---

# Expert: {card.name}

{what} for `{card.model}`.{_search(card)}

{chr(10).join(sections)}
{notes}{_checklist(card)}
## What it may not be used for

{refused}

## Use

{use}
"""


def _checklist(card: Card) -> str:
    """What has to be known to judge these simulated answers, filled in."""
    if card.result.checklist is None:
        return ""
    rows = "\n".join(f"| {name} | {said} |" for name, said in card.result.checklist.rows())
    return f"\n## Checklist\n\n| | |\n|---|---|\n{rows}\n"


def _search(card: Card) -> str:
    search = card.result.search
    if search is None:
        return ""
    how = "by" if search.optimizer == "adam" else "without"
    return (
        f"\nFound {how} gradients ({search.optimizer}, seed {search.seed}, "
        f"{search.evaluations:,} evaluations)."
    )


def _notes(card: Card) -> Iterator[str]:
    provenance = card.result.provenance
    hashes = [f"{asked.name} {asked.digest[:12]}" for asked in provenance.instruments]
    hashes.append(f"model revision {card.revision[:12]}")
    listed = ", ".join(hashes)
    yield f"{listed[0].upper()}{listed[1:]}; the full record is in `expert.json`."
    if card.opening:
        yield f"What the model read around a question: `{json.dumps(card.opening, ensure_ascii=False)}`."
    yield from card.result.notes
    if provenance.disclaimer and provenance.disclaimer not in card.result.notes:
        yield provenance.disclaimer


def _indices(card: Card) -> Iterator[str]:
    asked = indices_of(card.result)
    if asked is None:
        return
    rows = "\n".join(
        f"| {row.name} | {' | '.join(points(v) for v in (row.target, *row.points))} "
        f"| {points(row.error, sign=True)} |"
        for row in index_rows(card.result, card.population)
    )
    unprompted, in_text, fitted = errors(card.result, card.population)
    yield f"""Under it the model's answers to `{asked.name}` give these indices:

| index | target | un-prompted | country in text | fitted | error |
|---|---|---|---|---|---|
{rows}

Mean absolute error {fitted:.2f} index points (un-prompted {unprompted:.2f}, country
named in text {in_text:.2f}).

* Targets: {asked.targets_title} (`{asked.targets}`).
* Constants: {constants_line(asked)}. Readout: {card.result.provenance.readout}."""


def _own(card: Card) -> Iterator[str]:
    asked = own_of(card.result)
    if asked is None:
        return
    rows = "\n".join(
        f"| {name} | {loss} |" for name, loss in own_rows(card.result, card.population)
    )
    yield f"""Under it, on {asked.title}:

| | {asked.metrics[0].title} |
|---|---|
{rows}
"""


def _language(card: Card) -> Iterator[str]:
    language = card.language
    if language is None:
        return
    lines = "\n".join(f"* {line}" for line in describe_lines(language))
    yield "\n".join(["", *describe_language(language), *(["", lines] if lines else [])])


def _opinions(card: Card) -> Iterator[str]:
    asked = opinions_of(card.result)
    if asked is None:
        return
    rows = "\n".join(f"| {' | '.join(row)} |" for row in opinion_rows(card.result, card.population))
    sentences = "\n".join(verdicts(card.result, card.population))
    held_out, fit = (questions(card.result, card.population, s) for s in ("held-out", "fit"))
    yield f"""Jensen-Shannon distance in nats between the model's answers under it and people's answers, on
{asked.title}; smaller is nearer:

| | {held_out} questions held out | fitted minus it, held out | {fit} questions to fit |
|---|---|---|---|
{rows}

{sentences}
The ids of the questions are in `expert.json`.
"""
