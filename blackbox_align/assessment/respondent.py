"""Who is assessed: a model, or anything that answers as an evaluator does, under conditions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..countries import Country, countries
from ..evaluators import Evaluator
from ..surveys.survey import Item, Survey
from .asking import ask
from .conditions import Condition
from .model_evaluator import ModelEvaluator

if TYPE_CHECKING:
    from ..evaluators.language_model import Checkpoint


@dataclass(frozen=True)
class Respondent:
    """An evaluator with how it is asked; ``model`` is None for one that is no language model."""

    evaluator: Evaluator
    model: Checkpoint | None
    orders: str
    batch: int
    on_batch: Callable[[int], None] | None = None

    def answers(
        self, survey: Survey, condition: Condition, country: Country | None = None
    ) -> np.ndarray:
        """(items, survey.width) float64: the answers under a condition, averaged over orders."""
        expert = condition.fitted(country, self.model)
        evaluator = self.evaluator
        if expert and isinstance(evaluator, ModelEvaluator):
            evaluator = replace(evaluator, placement=expert.placement)
        return ask(
            evaluator,
            survey.with_preamble(condition.preamble(country)),
            expert.soft_prompt() if expert else np.zeros((0, 1), np.float32),
            orders=self.orders,
            batch=self.batch,
            on_batch=self.on_batch,
        )

    def unaskable(self, survey: Survey) -> set[str]:
        """The items whose labels are not single tokens of the model, so that it cannot answer them."""
        if not isinstance(self.evaluator, ModelEvaluator):
            return set()
        by_labels: dict[tuple[str, ...], list[Item]] = {}
        for item in survey.items:
            by_labels.setdefault(item.scale.labels, []).append(item)
        return {
            item.id
            for items in by_labels.values()  # whether a label is one token is alike after every question
            if not self.evaluator.can_answer(survey, items[0])
            for item in items
        }

    def answers_by_country(
        self, survey: Survey, condition: Condition, items: Sequence[int], codes: Sequence[str]
    ) -> np.ndarray:
        """(rows, survey.width): the answers to ``items`` (rows,) as asked about ``codes`` (rows,).

        A condition that names no country is asked once for all of them.
        """
        which = np.asarray(items, dtype=int)
        if not condition.depends_on_country:
            return self.answers(survey, condition)[which]
        asked_about = np.array(codes)
        answers = np.zeros((len(which), survey.width))
        for code in dict.fromkeys(codes):
            rows = np.flatnonzero(asked_about == code)
            needed = np.unique(which[rows])
            part = replace(survey, items=tuple(survey.items[n] for n in needed), indices=())
            given = self.answers(part, condition, countries()[code])
            answers[rows, : part.width] = given[np.searchsorted(needed, which[rows])]
        return answers
