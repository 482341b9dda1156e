"""Asking a committee: a question in words, the way to weights, and texts written side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.random import Generator

from ..engines.base import Request, Text
from ..errors import SpecificationError
from ..experts import Expert
from ..models import packaged_models
from ..surveys.sheet import average, sheet
from ..surveys.signs import INSTRUCTIONS, LETTERS, lettered
from ..surveys.survey import Item, Survey
from .by_answers import weights_by_answers
from .by_profile import weights_by_profile
from .by_text import Embedder, Query, TextRouter
from .committee import Array, Committee, mixed
from .decision import Decision
from .known_answers import known_answers
from .stated import stated_weights

ORDERS = "cyclic"
"""A closed question is asked in every rotation of its options, and averaged: see :mod:`..surveys.sheet`."""


def closed_question(question: str, options: Sequence[str]) -> Survey:
    """A survey of one item, for :func:`..surveys.sheet.sheet`: options are called A, B, ...

    Raises :class:`SpecificationError` unless there are 2 to 26 options, all different.
    """
    given = [option.strip() for option in options]
    distinct = len({option.casefold() for option in given}) == len(given) and all(given)
    if not 2 <= len(given) <= len(LETTERS) or not distinct:
        raise SpecificationError(
            f"A closed question has 2 to {len(LETTERS)} different options; got "
            f"{', '.join(map(repr, given))}."
        )
    item = Item("asked", question, lettered(given))
    return Survey("asked", "Asked of a committee", 1, INSTRUCTIONS["letters"], (item,))


def answer_closed(committee: Committee, decision: Decision, survey: Survey) -> tuple[Array, Array]:
    """(experts, options) shares, in the order of the weights, and (options,) their mixture."""
    parts = average(committee.parts(sheet(survey, ORDERS), decision), survey, ORDERS)
    return parts[:, 0], mixed(parts, decision)[0]


def told_shares(
    parts: Array,
    mixture: Array,
    decision: Decision,
    survey: Survey,
    form: str,
    samples: int,
    rng: Generator,
) -> dict[str, Any]:
    """What :func:`answer_closed` gave in plain values: shares of the options, of a sample their counts."""
    told: dict[str, Any] = {"options": list(survey.items[0].scale.options)}
    if form == "sample":
        # An expert drawn by weight that then answers by its own shares answers by the mixture's.
        return {**told, "counts": rng.multinomial(samples, mixture / mixture.sum()).tolist()}
    if form == "parts":
        told["parts"] = {n: row.tolist() for n, row in zip(decision.weights, parts, strict=True)}
    return {**told, "mixture": mixture.tolist()}


def told_texts(
    committee: Committee, requests: Sequence[Request], texts: Sequence[Text]
) -> dict[str, Any]:
    """Texts in plain values, each with the experts that wrote it and why it ended."""
    return {
        "texts": [
            {"experts": list(committee.speakers(request)), "text": text.text, "ended": text.reason}
            for request, text in zip(requests, texts, strict=True)
        ]
    }


def simulated_note(model: str, disclaimer: str, instead: str = "") -> str:
    """What stands beside simulated answers; ``instead`` is said where texts are wanted of a model that
    writes none."""
    sentences = ["These are simulated answers: a model computed them, and nobody gave them."]
    if instead and model in packaged_models():
        sentences.append(f"{model} was made to tick options and cannot write prose; {instead}")
    return " ".join([*sentences, disclaimer]).strip()


def decide(
    question: str,
    experts: Sequence[Expert],
    *,
    population: str | None = None,
    answers: Path | str | None = None,
    profile: Mapping[str, str] | None = None,
    embed: Embedder | None = None,
    rng: Generator | None = None,
) -> Decision:
    """The decision of who answers: as stated, by known answers, or else by the words of the question.

    Parameters
    ----------
    population : as of :func:`.stated.stated_weights`
    answers : a file for :func:`.known_answers.known_answers`
    profile : what is known of somebody; see :func:`.by_profile.weights_by_profile`
    embed : compares a question in which no country is named with the experts' names
    rng : draws the known questions again, for the intervals of weights by answers

    Raises
    ------
    SpecificationError
        Two ways are asked for at once, or there is no expert.
    """
    if not experts:
        raise SpecificationError(
            "There is no expert to ask; `bbalign fit` makes one, and `bbalign experts add` keeps it."
        )
    if sum(way is not None for way in (population, answers, profile or None)) > 1:
        raise SpecificationError(
            "Weights are stated (--population), found from answers (--like) or from a profile (--profile); "
            "give one of them."
        )
    by_name = {expert.name: expert.country for expert in experts}
    if population is not None:
        return stated_weights(population, by_name)
    if answers is not None:
        profiles, known = known_answers(answers, experts)
        return weights_by_answers(list(by_name), profiles, known, rng=rng)
    if profile:
        return weights_by_profile(profile, experts)
    return TextRouter(by_name, embed).decide(Query(question))
