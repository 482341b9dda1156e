"""Scores on a survey with indices, such as VSM 2013: the error in index points, and ranks.

A low error is a fit to a dozen differences of item means. Whether countries come in the right
*order* on an index is another question, which Kendall's tau answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from ..errors import SpecificationError
from ..objectives import IndexObjective
from ..objectives.constants import settle_constants
from ..populations import Country, TargetSet, countries, find_country
from ..statistics.distances import kendall_tau
from ..surveys.readouts import item_means
from ..surveys.survey import COUNTRY_PREAMBLE, Survey
from .baselines import middle
from .conditions import Condition
from .respondent import Respondent
from .results import Column, Score, ScoreTable, Values, summarise

ERROR = Column("absolute_error_points", "mean absolute error (index points)", False)


def score_indices(
    survey: Survey,
    targets: TargetSet,
    conditions: Sequence[Condition],
    respondent: Respondent | None,
    *,
    countries_asked: Sequence[str],
    constants: str,
    resamples: int,
    seed: int,
) -> ScoreTable:
    """Score the conditions and the trivial baselines; see :func:`.score.score`.

    The interval is over the indices of the survey; with six of them it is a rough one.
    """
    names = [index.name for index in survey.indices]
    codes = list(dict.fromkeys(find_country(name).code for name in countries_asked))
    figures = np.array([targets.target(code, names) for code in codes])
    objective = IndexObjective(
        survey,
        figures,
        settle_constants(
            constants, survey, targets, partial(_reference_means, survey, constants, respondent)
        ),
    )

    def indices(answers: np.ndarray) -> np.ndarray:
        return objective.indices(item_means(answers[None], survey))[0]

    others = np.array([_mean_of_others(targets, code, names) for code in codes])
    predicted: list[tuple[str, str, np.ndarray]] = [
        (
            _middle_name(survey),
            "baseline",
            np.tile(indices(middle(survey)), (len(codes), 1)),
        ),
        ("mean of other countries", "baseline", others),
    ]
    for condition in conditions:
        assert respondent is not None
        if condition.depends_on_country:
            rows = [
                indices(respondent.answers(survey, condition, countries()[code])) for code in codes
            ]
        else:
            rows = [indices(respondent.answers(survey, condition))] * len(codes)
        predicted.append((condition.name, "condition", np.array(rows)))

    scores: list[Score] = []
    differences: list[Score] = []
    index_number = np.tile(np.arange(len(names)), len(codes))
    country_number = np.repeat(np.arange(len(codes)), len(names))
    for code in [*codes, "mean"] if len(codes) > 1 else codes:
        rows_here = np.array([code in ("mean", codes[n]) for n in country_number])
        some, pairs = summarise(
            code,
            [
                Values(name, kind, np.abs(rows - figures).reshape(-1, 1)[rows_here])
                for name, kind, rows in predicted
            ],
            [ERROR.name],
            index_number[rows_here],
            country_number[rows_here],
            resamples=resamples,
            seed=seed,
        )
        scores += some
        differences += pairs
    ranks = [
        {"condition": name, "index": index, "kendall_tau": tau, "n": int(n)}
        for name, kind, rows in predicted
        if kind == "condition"
        for index, tau, n in zip(
            names,
            map(kendall_tau, rows.T, figures.T),
            (~np.isnan(figures)).sum(0),
            strict=True,
        )
        if not np.isnan(tau)
    ]
    values = ", ".join(
        f"{name} {value:+.1f}"
        for name, value in zip(names, objective.constants.array(), strict=True)
    )
    notes = [
        f"Targets: {targets.title}. Constants, the same for all rows: {constants} ({values}).",
        f"Brackets: 95 % interval over the indices, {resamples:,} resamples, seed {seed}.",
    ]
    if conditions and respondent:
        notes.insert(1, respondent.describe(survey))
    missing = [
        f"{countries()[code].name} {', '.join(n for n, t in zip(names, row, strict=True) if np.isnan(t))}"
        for code, row in zip(codes, figures, strict=True)
        if np.isnan(row).any()
    ]
    if missing:
        notes.append(f"No figure is published for {'; '.join(missing)}: left out of the error.")
    return ScoreTable(
        survey.title,
        (ERROR,),
        (ERROR.name,),
        tuple(scores),
        tuple(differences),
        tuple(notes),
        tuple(ranks),
    )


def _middle_name(survey: Survey) -> str:
    threes = all(item.scale.codes == (1, 2, 3, 4, 5) for item in survey.items)
    return "all threes" if threes else "the middle of every scale"


def _mean_of_others(targets: TargetSet, code: str, names: Sequence[str]) -> np.ndarray:
    """(indices,): the mean figures of the set's other countries."""
    others = [c for c in targets.codes if c != code and not countries()[c].is_region]
    if not others:
        return np.full(len(names), np.nan)
    rows = np.array([[dict(zip(targets.indices, targets.figures[c], strict=True)).get(n, np.nan)
                      for n in names] for c in others])  # fmt: skip
    known = ~np.isnan(rows)
    total = np.where(known, rows, 0.0).sum(0)
    return np.where(known.any(0), total / np.maximum(known.sum(0), 1), np.nan)


def _reference_means(
    survey: Survey, constants: str, respondent: Respondent | None, country: Country | None
) -> np.ndarray:
    """(1, items): the reference sample's; without a model the middle stands for the un-prompted."""
    if respondent is None:
        if country is not None:
            raise SpecificationError(f"The constants {constants!r} need a model that is asked.")
        return item_means(middle(survey)[None], survey)
    condition = Condition("anchor", COUNTRY_PREAMBLE) if country else Condition("none")
    return item_means(respondent.answers(survey, condition, country)[None], survey)
