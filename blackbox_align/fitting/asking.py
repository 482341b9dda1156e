"""Whom a fit asks, and what is known of it: the space of its prompts, its answers without one."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..adapters import (
    Adapter,
    Parameterization,
    check_placement,
    embedding_std,
    from_text,
    from_vocabulary,
    parameterize,
    word_norm,
    zeros,
)
from ..assessment.position_bias import ORDERS as BOTH
from ..assessment.position_bias import PositionBias, both_directions, compare_directions
from ..engines import Answers, Engine
from ..errors import ModelError, RunError
from ..populations import Population
from ..surveys import Survey
from ..surveys.sheet import Sheet, asked, average, sheet
from .specification import Specification

ONE_ORDER = "1"  # that of the file alone: how runs were asked that do not say how


def by_item(probabilities: np.ndarray, survey: Survey, orders: str) -> np.ndarray:
    """(P, items, width) from what was answered to :func:`..surveys.sheet.sheet` of a survey.

    What was asked in one order is not averaged, so that it keeps every bit.
    """
    if orders != ONE_ORDER:
        return average(probabilities, survey, orders)
    answers = np.zeros((len(probabilities), len(survey.items), survey.width), np.float32)
    answers[:, [item for item, _ in asked(survey, orders)]] = probabilities[:, :, : survey.width]
    return answers


@dataclass(frozen=True, eq=False)
class Asked:
    """What the model answers without a soft prompt, asked once and then known.

    ``known`` holds answers by survey and population, as :meth:`to_facts` records them; without an
    ``engine`` only what is known can be had. All is asked in the same ``orders``; see
    :func:`..surveys.sheet.option_orders`.
    """

    engine: Engine | None = None
    known: dict[str, np.ndarray] = field(default_factory=dict)
    orders: str = ONE_ORDER

    def answers(self, survey: Survey, told: Population | None) -> np.ndarray:
        """(items, width) float64 answers of the model as it is, or when it is told whom to answer like:
        the very numbers that the table of the result is made from.
        """
        rows = self.rows(survey, told)
        columns = [item for item, _ in asked(survey, ONE_ORDER)]
        return np.asarray(average(rows[None, columns], survey, ONE_ORDER)[0])

    def rows(self, survey: Survey, told: Population | None) -> np.ndarray:
        """(items, width) float32, as they are recorded.

        Raises :class:`ModelError` where they are not finite.
        """
        key = f"{survey.name} {told.code if told else ''}".strip()
        if key not in self.known:
            if self.engine is None:
                raise RunError(f"What the model answers ({key}) was not recorded.")
            adapter = Adapter(text=told.preamble()) if told else Adapter()
            given = self.engine.answer([adapter], sheet(survey, self.orders))
            answers = by_item(given.probabilities, survey, self.orders)[0].astype(np.float32)
            if not np.isfinite(answers).all():
                raise ModelError(
                    f"The model {self.engine.info.name!r} answers the survey with numbers that are "
                    "not finite. Try --dtype float32, and check its weights."
                )
            self.known[key], self.known[f"{key} mass"] = answers, given.mass[0].astype(np.float32)
        return self.known[key]

    def mass(self, survey: Survey, told: Population | None) -> np.ndarray | None:
        """(questions,) share of the next token that is any label; None where it was not recorded."""
        return self.known.get(f"{survey.name} {told.code if told else ''}".strip() + " mass")

    def position_bias(self, survey: Survey) -> PositionBias:
        """What the direction of the scales does to the un-prompted answers."""
        key = f"{survey.name} in both directions"
        if key not in self.known:
            if self.engine is None:
                raise RunError(f"What the model answers ({key}) was not recorded.")
            given = self.engine.answer([Adapter()], sheet(survey, BOTH)).probabilities
            self.known[key] = both_directions(given, survey)[0].astype(np.float32)
        return compare_directions(self.known[key], survey)

    def to_facts(self) -> dict[str, Any]:
        """All that is known, as JSON."""
        return {
            key: {
                "shape": rows.shape,
                "answers": base64.b64encode(rows.astype("<f4").tobytes()).decode(),
            }
            for key, rows in self.known.items()
        }


def known_from(facts: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """What :meth:`Asked.to_facts` recorded."""
    return {
        key: np.frombuffer(base64.b64decode(one["answers"]), "<f4").reshape(one["shape"])
        for key, one in facts.items()
    }


def unit_of(engine: Engine, recorded: Mapping[str, Any]) -> float:
    """By how much a step of 1 per coordinate moves an entry of a prompt: in all, by a word's norm.

    ``recorded`` are the facts of a run that goes on, whose unit stays what it was; one that names none was
    searched by an earlier version.
    """
    if not recorded:
        return word_norm(engine) / float(np.sqrt(engine.info.width))
    return float(recorded["unit"]) if "unit" in recorded else embedding_std(engine)


def tokens_of(engine: Engine, space: Parameterization, sheet: Sheet) -> int:
    """Tokens that a candidate of the search adds to a pass; 0 where the engine does not tell."""
    count = getattr(engine, "tokens_of", None)
    return int(count(space.adapters(np.zeros((1, space.dimension)))[0], sheet)) if count else 0


def search_space(
    settings: Specification,
    engine: Engine,
    rng: np.random.Generator,
    unit: float | None = None,
) -> Parameterization:
    """The vectors that are searched, in units of :func:`unit_of`, and the adapters that they stand for."""
    if settings.placement == "auto":
        settings = replace(settings, placement=engine.info.searched)
    kind, _, text = settings.init.partition(":")
    if kind == "zeros":
        initial = zeros(engine, settings.length)
    elif kind == "vocabulary":
        initial = from_vocabulary(engine, settings.length, engine.info.vocabulary, rng)
    else:
        initial = from_text(engine, settings.length, list(engine.tokenize(text)))
    return parameterize(
        initial,
        unit_of(engine, {}) if unit is None else unit,
        subspace=settings.subspace,
        rng=rng,
        alpha=settings.alpha,
        placement=check_placement(settings.placement),
    )


def failures_of(answers: Answers) -> tuple[str | None, ...]:
    """Why candidates failed; one whose answers are not all finite did, whatever is said of it."""
    return tuple(
        why or (None if np.isfinite(rows).all() else "the model's answer is not a finite number")
        for why, rows in zip(answers.failures, answers.probabilities, strict=True)
    )


def read_with(engine: Engine) -> dict[str, Any]:
    """What a run records of the model that it asks, and of what that reads around a question."""
    info = engine.info
    return {
        "model_revision": info.revision,
        "dtype": info.dtype,
        "opening": info.opening,
        "date": info.date,
        "commit": info.commit,
    }
