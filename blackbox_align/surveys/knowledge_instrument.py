"""A test with right answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..populations import Population, countries, country_population
from ..results.names import ALWAYS_A, ALWAYS_FALSE, ALWAYS_TRUE, UNIFORM, counted
from ..statistics import baselines
from ..statistics.distances import Metric, credit
from .instrument import Array, Measured, OfSurvey, Whole
from .knowledge import KnowledgeTest
from .survey import Survey


@dataclass(frozen=True, eq=False)
class Knowledge(OfSurvey):
    """A test with right answers. A row is a question, which is right if all of its items are."""

    test: KnowledgeTest

    headline = ("accuracy",)
    pooled = "questions"

    @property
    def survey(self) -> Survey:  # type: ignore[override]
        return self.test.survey

    @cached_property
    def digest(self) -> str:
        asked = replace(self.survey, source="").sha256
        right = [(j.item, j.country, j.right) for j in self.test.judgements]
        return hashlib.sha256(json.dumps([asked, right]).encode()).hexdigest()

    @property
    def metrics(self) -> tuple[Metric, ...]:
        accuracy = Metric("accuracy", "accuracy per question", True)
        judged = Metric("judgement_accuracy", "right judgements (not the paper's score)", True)
        return (accuracy,) if self.test.rule == "easy" else (accuracy, judged)

    @property
    def populations(self) -> tuple[Population, ...]:
        codes = sorted(self.test.countries)
        return tuple(country_population(countries()[code]) for code in codes)

    def shares(self, population: Population) -> Array:
        answers = np.full((len(self.items), self.survey.width), np.nan)
        asked = self.asked_of(population)
        answers[asked] = baselines.one_hot(self.test.right()[asked], self.survey.width)
        return answers

    def asked_of(self, population: Population) -> Whole:
        about = [judgement.country == population.code for judgement in self.test.judgements]
        return np.flatnonzero(about)

    def rows(self, population: Population) -> Whole:
        codes = self.test.questions.values()
        return np.flatnonzero([code == population.code for code in codes])

    def measure(self, answers: Array, population: Population) -> Measured:
        rows = self.rows(population)
        # What was not asked about others is no answer to theirs, and not looked at.
        scores = question_scores(self.test, np.nan_to_num(answers))[rows]
        return {metric.name: scores[:, n] for n, metric in enumerate(self.metrics)}

    def baselines(
        self,
        population: Population,
        unprompted: Array | None = None,
        fitted_items: Collection[str] = (),
        rng: np.random.Generator | None = None,
    ) -> Mapping[str, Measured]:
        sizes = self.sizes
        easy = self.test.rule == "easy"
        constant = {ALWAYS_A: 0} if easy else {ALWAYS_TRUE: 0, ALWAYS_FALSE: 1}
        answers = {UNIFORM: baselines.uniform(sizes)}
        answers |= {name: baselines.always(sizes, place) for name, place in constant.items()}
        return {name: self.measure(rows, population) for name, rows in answers.items()}

    def notes(self, populations: Sequence[Population]) -> list[str]:
        rule = (
            "A question is right if the likeliest of its four options is."
            if self.test.rule == "easy"
            else "A question is right only if all of its judgements are."
        )
        questions = sum(len(self.rows(population)) for population in populations)
        return [
            f"{counted(questions, 'question')} about "
            f"{counted(len(populations), 'country', 'countries')}. {rule}",
            *self.test.report.lines(),
        ]

    def select(self, populations: Sequence[Population]) -> Knowledge:
        return Knowledge(self.test.select([population.code for population in populations]))

    def without(self, items: Collection[str]) -> Knowledge:
        """Without whole questions: one that lost a judgement would be easier than it is."""
        if not items:
            return self
        spoilt = {j.question for j in self.test.judgements if j.item in items}
        kept = [n for n, j in enumerate(self.test.judgements) if j.question not in spoilt]
        survey = replace(self.survey, items=tuple(self.items[n] for n in kept))
        judgements = tuple(self.test.judgements[n] for n in kept)
        return Knowledge(replace(self.test, survey=survey, judgements=judgements))


def question_scores(test: KnowledgeTest, answers: Array) -> Array:
    """(questions, 2): right or not, and the share of right judgements, from (items, options).

    A question is right if all of its items are (Chiu et al. 2024): for Easy that is its one item, for
    Hard its four judgements. A tie between options counts by chance: uniform answers get 1/4 on Easy
    and 1/16 on Hard.
    """
    right = credit(answers, test.right())
    place = {question: n for n, question in enumerate(test.questions)}
    whole, total, count = np.ones(len(place)), np.zeros(len(place)), np.zeros(len(place))
    for judgement, value in zip(test.judgements, right, strict=True):
        n = place[judgement.question]
        whole[n] *= value
        total[n] += value
        count[n] += 1
    return np.stack([whole, total / count], axis=1)
