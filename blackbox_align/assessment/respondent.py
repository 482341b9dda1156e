"""Who is assessed: a model, or anything that answers as an evaluator does, under conditions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..engines import Evaluator
from ..populations import Country, countries
from ..surveys.opinions import with_labels
from ..surveys.survey import Item, Survey
from .asking import ask, describe_orders
from .conditions import Condition
from .model_evaluator import ModelEvaluator

if TYPE_CHECKING:
    from ..engines.checkpoint import Checkpoint


@dataclass(frozen=True)
class Respondent:
    """An evaluator with how it is asked; ``model`` is None for one that is no language model.

    ``labels`` are the names for options (see :func:`..surveys.opinions.with_labels`) whose answers are
    averaged; with none, options are called as in the survey.
    """

    evaluator: Evaluator
    model: Checkpoint | None
    orders: str
    batch: int
    on_batch: Callable[[int], None] | None = None
    labels: tuple[str, ...] = ()

    def answers(
        self, survey: Survey, condition: Condition, country: Country | None = None
    ) -> np.ndarray:
        """(items, survey.width) float64: the answers under a condition, averaged over orders."""
        expert = condition.fitted(country, self.model)
        evaluator = self.evaluator
        if expert and isinstance(evaluator, ModelEvaluator):
            evaluator = replace(evaluator, placement=expert.placement)
        soft_prompt = expert.soft_prompt() if expert else np.zeros((0, 1), np.float32)
        answers = [
            ask(
                evaluator,
                labelled.with_preamble(condition.preamble(country)),
                soft_prompt,
                orders=self.orders,
                batch=self.batch,
                on_batch=self.on_batch,
            )
            for labelled in self._labelled(survey)
        ]
        return np.mean(answers, axis=0)

    def describe(self, survey: Survey) -> str:
        """What was averaged over, in words to stand under a table."""
        both = " Options were called by letters and by digits, and the two answers averaged."
        return describe_orders(survey, self.orders) + (both if len(self.labels) > 1 else "")

    def _labelled(self, survey: Survey) -> list[Survey]:
        return [with_labels(survey, labels) for labels in self.labels] or [survey]

    def unaskable(self, survey: Survey) -> set[str]:
        """The items whose labels are not single tokens of the model, so that it cannot answer them."""
        if not isinstance(self.evaluator, ModelEvaluator):
            return set()
        refused: set[str] = set()
        for labelled in self._labelled(survey):
            by_labels: dict[tuple[str, ...], list[Item]] = {}
            for item in labelled.items:
                by_labels.setdefault(item.scale.labels, []).append(item)
            for items in by_labels.values():  # a label is one token after every question or none
                if not self.evaluator.can_answer(labelled, items[0]):
                    refused |= {item.id for item in items}
        return refused

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
