"""Scores on an opinion survey: how near the model's answers lie to those of a country's people."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import ModelError
from ..populations import countries
from ..statistics.distances import DISTRIBUTION_METRICS, earth_movers_distance
from ..surveys.opinions import OpinionSurvey
from .baselines import mean_of_others, offered, tempered, uniform
from .conditions import Condition
from .respondent import Respondent
from .results import Column, Score, ScoreTable, Values, counted, summarise

EMD = Column(
    "earth_movers_distance", "earth mover's distance (ordered items, share of the scale)", False
)
COLUMNS = (
    *(Column(m.name, m.title, m.higher_is_better) for m in DISTRIBUTION_METRICS.values()),
    EMD,
)
HEADLINE = ("one_minus_js_distance_nats", "one_minus_js_divergence_bits", EMD.name)


def score_opinions(
    opinions: OpinionSurvey,
    conditions: Sequence[Condition],
    respondent: Respondent | None,
    *,
    countries: Sequence[str] | None,
    samples: str,
    missing: str,
    resamples: int,
    seed: int,
) -> ScoreTable:
    """Score the conditions and the trivial baselines; see :func:`.score.score`.

    A country's score is the mean over its distributions; ``mean`` is the mean over the countries.
    """
    everyone = opinions.select(samples=samples)
    chosen = everyone.select(countries=countries) if countries else everyone
    refused = respondent.unaskable(chosen.survey) if respondent else set()
    if len(refused) == len(chosen.survey.items):
        raise ModelError(
            "The labels of the options (A, B, ...) are not single tokens of this model, so it cannot "
            "answer any of the questions. Try --labels digits."
        )
    chosen = chosen.without(refused)
    position = {item.id: n for n, item in enumerate(chosen.survey.items)}
    item = np.array([position[d.item] for d in chosen.distributions])
    codes = [d.sample.country for d in chosen.distributions]
    observed = chosen.shares()
    sizes = offered(chosen.survey).sum(-1)[item]
    ladder = np.array([d.item in chosen.ordered for d in chosen.distributions])

    def values(prediction: np.ndarray) -> np.ndarray:
        columns = [m.function(prediction, observed) for m in DISTRIBUTION_METRICS.values()]
        moved = earth_movers_distance(prediction, observed, sizes)
        return np.stack([*columns, np.where(ladder, moved, np.nan)], axis=1)

    answered: list[Values] = [
        Values("uniform", "baseline", values(uniform(chosen.survey)[item])),
        Values("mean of other countries", "baseline", values(mean_of_others(chosen, everyone))),
    ]
    names = [d.item for d in chosen.distributions]
    for condition in conditions:
        assert respondent is not None
        prediction = respondent.answers_by_country(chosen.survey, condition, item.tolist(), codes)
        if condition.is_unprompted and all(a.condition != _TEMPERED for a in answered):
            cooled = np.zeros_like(prediction)
            for code in dict.fromkeys(codes):  # every country has a temperature of its own
                rows = np.array(codes) == code
                own = [name for name, here in zip(names, rows, strict=True) if here]
                cooled[rows] = tempered(prediction[rows], observed[rows], own)
            answered.insert(2, Values(_TEMPERED, "baseline", values(cooled)))
        answered.append(Values(condition.name, "condition", values(prediction)))

    metrics = [column.name for column in COLUMNS]
    scores: list[Score] = []
    differences: list[Score] = []
    order = [code for code in countries_in_order(codes, countries) if code in codes]
    for code in [*order, "mean"] if len(order) > 1 else order:
        rows = np.array([code in ("mean", c) for c in codes])
        group = np.array([order.index(c) for c in codes])
        some, pairs = summarise(
            code,
            [Values(a.condition, a.kind, a.values[rows]) for a in answered],
            metrics,
            item[rows],
            group[rows],
            resamples=resamples,
            seed=seed,
        )
        scores += some
        differences += pairs
    rule = (
        '"Don\'t know", refused and missing are left out, and the rest scaled to sum to 1.'
        if missing == "drop"
        else '"Don\'t know", refused and missing count as options like any other.'
    )
    notes = [
        f"{counted(len(chosen), 'distribution')} of {counted(len(chosen.survey.items), 'question')} in "
        f"{counted(len(order), 'country', 'countries')}; samples: {samples}. {rule}",
        *chosen.report.lines(),
        f"Brackets: 95 % interval over questions, {resamples:,} resamples, seed {seed}.",
    ]
    fitted = [_fitted_note(c, code, chosen) for c in conditions if c.expert for code in order]
    notes += [note for note in dict.fromkeys(fitted) if note]
    if any(np.isnan(entry.values[:, 0]).any() for entry in answered):
        notes.append("Where the n of two rows differ, read their difference, not the two rows.")
    if conditions and respondent:
        notes.insert(1, respondent.describe(chosen.survey))
    if refused:
        notes.insert(
            2,
            f"{counted(len(refused), 'question')} left out of all rows: with so many options that some "
            "of the labels are not single tokens of this model.",
        )
    if any(a.condition == _TEMPERED for a in answered):
        notes.append(
            "The fitted temperature is that of the other four fifths of a country's questions: it "
            "knows how sharp answers are there, and nothing of what they are."
        )
    return ScoreTable(
        chosen.survey.title, COLUMNS, HEADLINE, tuple(scores), tuple(differences), tuple(notes)
    )


_TEMPERED = "un-prompted, fitted temperature"


def _fitted_note(condition: Condition, code: str, opinions: OpinionSurvey) -> str:
    """A sentence where an expert was fitted to some of the questions that it is scored on."""
    expert = condition.fitted(countries()[code], None)
    fitted = set(expert.metadata.get("facts", {}).get("fit_questions", ())) if expert else set()
    asked = [item.id for item in opinions.survey.items]
    if not fitted.intersection(asked):
        return ""
    held_out = [item for item in asked if item not in fitted]
    return (
        f"{condition.name.replace('{code}', code)} was fitted to {len(asked) - len(held_out)} of these "
        f"{counted(len(asked), 'question')}; held out: {', '.join(held_out) or 'none'}."
    )


def countries_in_order(codes: Sequence[str], asked: Sequence[str] | None) -> list[str]:
    """The codes that occur: in the order in which they were asked for, or else in the alphabet."""
    if asked is None:
        return sorted(set(codes))
    from ..populations import find_country

    return list(dict.fromkeys(find_country(name).code for name in asked))
