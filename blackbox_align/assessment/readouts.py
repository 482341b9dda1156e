"""Answers read in three ways: by the first token, from a written answer, and as shares said in words.

The first token is the weakest readout that is accepted, and may say other than the text that a model writes
(arXiv 2402.14499, 2404.08382). What a condition gains has to be there in the others, or it is marked.
The ways are compared by the squared distance of shares, which has an unbiased estimate from few draws.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..adapters.adapter import Adapter
from ..engines.base import Engine, Request, Sampling, write_all
from ..errors import SpecificationError
from ..populations import Population
from ..results import Figure, Result, Split
from ..results.names import NONE
from ..statistics.bootstrap import Bootstrap
from ..statistics.distances import Metric
from ..surveys.sheet import Question, asked, sheet
from ..surveys.survey import Survey
from .assess import Trial

Array = NDArray[np.floating]
Flags = NDArray[np.bool_]

READOUTS = ("first token", "written answer", "shares in words")
MOST_ITEMS = 40  # of a longer survey, evenly
DRAWS = 10  # written answers a question and order
_METRICS = (
    *(Metric(f"squared_error, {way}", f"squared distance by the {way}", False) for way in READOUTS),
    *(Metric(f"agreement, {way}", f"top answer as by the first token: {way}", True)
      for way in READOUTS[1:]),
)  # fmt: skip
_WRITTEN = Sampling(max_tokens=8, temperature=1.0)
_WORDS = Sampling(max_tokens=96)
_ORDERS = "reversed"
_OPENS = "Answer:"
_SHARES = (
    "Do not answer for yourself. For every reply, say what percent of people would choose it, "
    "one a line, as in '{label}: 40%'."
)


@dataclass(frozen=True, eq=False)
class Read:
    """Answers of one adapter: ``shares`` (readouts, items, options), NaN where nothing could be read.

    ``draws`` (items,) are the written answers with an option in them, of so many ``asked`` an item; ``said``
    is the part of the questions whose shares in words could be read.
    """

    shares: Array
    draws: Array
    asked: int
    said: float


def read_in_three_ways(
    engine: Engine, survey: Survey, items: Sequence[int], adapter: Adapter, first: Array, seed: int
) -> Read:
    """``items`` of a survey under one adapter; ``first`` (items, options) are shares by the first token."""
    chosen = replace(survey, items=tuple(survey.items[n] for n in items), indices=())
    shares = np.full((3, len(items), survey.width), np.nan)
    shares[0] = first
    questions = sheet(chosen, _ORDERS).questions
    places = list(asked(chosen, _ORDERS))
    voices = ((adapter, 1.0),)

    # Without a chat template a question ends in a line that opens the answer, and messages do not.
    opened = engine.info.opening.rstrip().endswith(_OPENS)

    def ask(question: Question, sampling: Sampling, more: str = "") -> Request:
        text = "\n".join(filter(None, (question.text, more, _OPENS if opened else "")))
        return Request([{"role": "user", "content": text}], sampling, voices)

    counts = np.zeros((len(items), survey.width))
    said = np.zeros_like(counts)
    heard = np.zeros(len(items))
    requests, keys = [], []
    for number, (question, (item, order)) in enumerate(zip(questions, places, strict=True)):
        for draw in range(DRAWS):
            drawn = replace(_WRITTEN, seed=seed + number * DRAWS + draw)
            requests.append(ask(question, drawn))
            keys.append((item, order, question, False))
        example = _SHARES.format(label=question.labels[0])
        requests.append(ask(question, _WORDS, example))
        keys.append((item, order, question, True))
    for text, (item, order, question, words) in zip(_write(engine, requests), keys, strict=True):
        options = [chosen.items[item].scale.options[n] for n in order]
        if words:
            found = shares_in(text, question.labels, options)
            if found is not None:
                said[item, list(order)] += found
                heard[item] += 1
        else:
            place = option_in(text, question.labels, options)
            if place is not None:
                counts[item, order[place]] += 1
    total = counts.sum(1)
    shares[1] = np.where(total[:, None] > 1, counts / np.maximum(total, 1)[:, None], np.nan)
    shares[2] = np.where(heard[:, None] > 0, said / np.maximum(heard, 1)[:, None], np.nan)
    return Read(shares, total, DRAWS * len(places) // max(1, len(items)), float((heard > 0).mean()))


_AT_ONCE = 64


def _write(engine: Engine, requests: Sequence[Request]) -> Iterator[str]:
    for start in range(0, len(requests), _AT_ONCE):
        for text in write_all(engine, requests[start : start + _AT_ONCE]):
            yield text.text


def option_in(text: str, labels: Sequence[str], options: Sequence[str]) -> int | None:
    """The place of the first label that stands as a word of its own in ``text``, or of the option said."""
    marks = "|".join(re.escape(label) for label in labels)
    found = re.search(rf"(?<![\w.])({marks})(?![\w])", text)
    if found:
        return list(labels).index(found[1])
    said = [n for n, option in enumerate(options) if option.casefold() in text.casefold()]
    return said[0] if len(said) == 1 else None


def shares_in(text: str, labels: Sequence[str], options: Sequence[str]) -> Array | None:
    """(options,) shares that ``text`` gives, one for each label or option; None where one lacks.

    They need not sum to 100: they are scaled, where they come to 50 to 200.
    """
    found = []
    for label, option in zip(labels, options, strict=True):
        for name in (label, option):
            hit = re.search(
                rf"(?<![\w.]){re.escape(name)}(?![\w])[^\d\n]{{0,40}}?(\d+(?:\.\d+)?)\s*%",
                text,
                re.IGNORECASE,
            )
            if hit:
                found.append(float(hit[1]))
                break
        else:
            return None
    total = sum(found)
    return np.array(found) / total if 50 <= total <= 200 else None


def with_readouts(result: Result, trial: Trial) -> Result:
    """``result`` with the squared distance by every readout, agreement, and what condition gains where.

    Raises :class:`SpecificationError` where there is no model, or no opinions.
    """
    instrument, engine = trial.instrument, trial.engine
    if instrument.pooled != "populations" or instrument.index_names or engine is None:
        raise SpecificationError("--readouts reads a model's opinions; there are none here.")
    survey = trial.asking.surveys(instrument.survey)[0]
    by_condition = {
        (a.condition, a.population): dict(zip(a.items, a.probabilities, strict=True))
        for a in result.answers
    }
    held_out = set(result.provenance.fitted_items)
    figures: list[Figure] = []
    marks: list[str] = []
    for population in trial.populations:
        truth = instrument.shares(population)
        kept = _spread(
            [n for n in instrument.asked_of(population)
             if not np.isnan(truth[n]).any() and instrument.items[n].id not in held_out]
        )  # fmt: skip
        read: dict[str, Read] = {}
        for condition in trial.conditions:
            own = (
                by_condition.get((condition.name, population.code))
                or by_condition[condition.name, ""]
            )
            first = np.zeros((len(kept), survey.width))
            for row, n in zip(first, kept, strict=True):
                given = own[instrument.items[n].id]
                row[: len(given)] = given
            adapter = condition.adapter(population)
            read[condition.name] = read_in_three_ways(
                engine, survey, kept, adapter, first, trial.resampling.seed
            )
        made, said = _figures(read, truth[kept], population, trial, result.split)
        figures += made
        marks += said
    instruments = tuple(
        replace(a, metrics=(*a.metrics, *_METRICS)) if a.name == instrument.name else a
        for a in result.provenance.instruments
    )
    provenance = replace(result.provenance, instruments=instruments, readouts=READOUTS)
    return replace(result, figures=(*result.figures, *figures), provenance=provenance).with_notes(
        *marks
    )


def _spread(items: Sequence[int]) -> list[int]:
    """At most :data:`MOST_ITEMS` of them, evenly."""
    places = np.linspace(0, len(items) - 1, min(MOST_ITEMS, len(items))).astype(int)
    return [items[n] for n in np.unique(places)]


def _figures(
    read: Mapping[str, Read], truth: Array, population: Population, trial: Trial, split: Split
) -> tuple[list[Figure], list[str]]:
    question, drawn = np.arange(len(truth)), trial.resampling
    bootstrap = Bootstrap(question, np.zeros(len(truth), int), drawn.resamples, drawn.seed)
    errors = {
        name: np.stack([_error(r, way, truth) for way in range(3)], 1) for name, r in read.items()
    }
    figures, notes = [], []

    def add(
        condition: str, metric: Callable[[int], str], values: Array, minus: str = ""
    ) -> list[Figure]:
        made = [
            Figure(population.code, condition, metric(n), split, e.value, e.low, e.high,
                   int((~np.isnan(values[:, n])).sum()), minus, trial.instrument.name)
            for n, e in enumerate(bootstrap.estimate(values))
        ]  # fmt: skip
        figures.extend(made)
        return made

    for name, one in read.items():
        add(name, lambda n: f"squared_error, {READOUTS[n]}", errors[name])
        top = one.shares.argmax(-1).astype(float)
        there: Flags = np.asarray(~np.isnan(one.shares).any(-1))
        same = np.where(there[1:], np.equal(top[1:], top[0]), np.nan).T
        add(name, lambda n: f"agreement, {READOUTS[n + 1]}", same)
        unread = 1 - one.draws.sum() / max(1, one.asked * len(truth))
        notes.append(
            f"Under {name!r}, {population.name}: {100 * unread:.0f} % of the written answers name no "
            f"option; shares in words could be read of {100 * one.said:.0f} % of the questions."
        )
        if name == NONE or NONE not in read:
            continue
        gains = add(
            name, lambda n: f"squared_error, {READOUTS[n]}", errors[name] - errors[NONE], NONE
        )
        where = [way for way, f in zip(READOUTS, gains, strict=True) if f.high < 0]
        unknown = [way for way, f in zip(READOUTS, gains, strict=True) if not f.n]
        if len(where) == 1:
            notes.append(
                f"MARKED: what {name!r} gains on un-prompted for {population.name} is there by the "
                f"{where[0]} only"
                + (f" (nothing could be read as {unknown[0]})." if len(unknown) == 1 else ".")
            )
    return figures, notes


def _error(read: Read, way: int, truth: Array) -> Array:
    """(items,) squared distances; what a sample of written answers adds is taken off."""
    p = read.shares[way]
    error = ((p - truth) ** 2).sum(-1)
    if READOUTS[way] == "written answer":
        error = error - (1 - (p**2).sum(-1)) / np.maximum(read.draws - 1, 1)
    return np.asarray(error)
