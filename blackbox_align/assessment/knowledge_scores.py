"""Scores on a test of knowledge: the share of questions that are answered right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..statistics.distances import credit
from ..surveys.knowledge import KnowledgeTest
from .baselines import always, uniform
from .conditions import Condition
from .opinion_scores import countries_in_order
from .respondent import Respondent
from .results import Column, Score, ScoreTable, Values, counted, summarise

ACCURACY = Column("accuracy", "accuracy per question", True)
PER_JUDGEMENT = Column("judgement_accuracy", "right judgements (not the paper's score)", True)


def question_scores(test: KnowledgeTest, prediction: np.ndarray) -> np.ndarray:
    """(questions, 2): right or not, and the share of right judgements, from (items, width).

    A question is right if all of its items are (Chiu et al. 2024): for Easy that is its one item,
    for Hard its four judgements. A tie between options counts by chance: uniform answers get 1/4 on
    Easy and 1/16 on Hard.
    """
    right = credit(prediction, test.right())
    place = {question: n for n, question in enumerate(test.questions)}
    whole, total, count = np.ones(len(place)), np.zeros(len(place)), np.zeros(len(place))
    for judgement, value in zip(test.judgements, right, strict=True):
        n = place[judgement.question]
        whole[n] *= value
        total[n] += value
        count[n] += 1
    return np.stack([whole, total / count], axis=1)


def score_knowledge(
    test: KnowledgeTest,
    conditions: Sequence[Condition],
    respondent: Respondent | None,
    *,
    countries: Sequence[str] | None,
    resamples: int,
    seed: int,
) -> ScoreTable:
    """Score the conditions and the trivial baselines; see :func:`.score.score`.

    ``all`` is the mean over questions, as in the paper, not over countries. A condition that names
    a country names the one that the question is about.
    """
    chosen = test.select(countries) if countries else test
    codes = [judgement.country for judgement in chosen.judgements]
    constant = {"always A": 0} if chosen.rule == "easy" else {"always true": 0, "always false": 1}
    answered = [Values("uniform", "baseline", question_scores(chosen, uniform(chosen.survey)))]
    for name, position in constant.items():
        answers = always(chosen.survey, position)
        answered.append(Values(name, "baseline", question_scores(chosen, answers)))
    every = list(range(len(codes)))
    for condition in conditions:
        assert respondent is not None
        prediction = respondent.answers_by_country(chosen.survey, condition, every, codes)
        answered.append(Values(condition.name, "condition", question_scores(chosen, prediction)))
    columns = (ACCURACY,) if chosen.rule == "easy" else (ACCURACY, PER_JUDGEMENT)
    about = np.array(list(chosen.questions.values()))
    order = countries_in_order(about.tolist(), countries) if countries else []
    scores: list[Score] = []
    differences: list[Score] = []
    for code in [*order, "all"] if len(order) != 1 else order:
        rows = np.array([code in ("all", c) for c in about])
        some, pairs = summarise(
            code,
            [Values(a.condition, a.kind, a.values[rows, : len(columns)]) for a in answered],
            [column.name for column in columns],
            np.flatnonzero(rows),
            np.zeros(rows.sum(), dtype=int),
            resamples=resamples,
            seed=seed,
        )
        scores += some
        differences += pairs
    notes = [
        f"{counted(len(about), 'question')} about "
        f"{counted(len(set(about)), 'country', 'countries')}. "
        + (
            "A question is right if the likeliest of its four options is."
            if chosen.rule == "easy"
            else "A question is right only if all of its judgements are."
        ),
        *chosen.report.lines(),
        f"Brackets: 95 % interval over questions, {resamples:,} resamples, seed {seed}.",
    ]
    if any(s.low == s.high and s.kind == "condition" and s.n for s in scores):
        notes.append(
            "A bracket without width means that all n questions came out alike; up to about 3 in n of "
            "others might still not (the rule of three)."
        )
    if conditions and respondent:
        notes.insert(1, respondent.describe(chosen.survey))
    title = chosen.survey.title
    return ScoreTable(
        title, columns, ("accuracy",), tuple(scores), tuple(differences), tuple(notes)
    )
