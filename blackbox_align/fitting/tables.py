"""The tables of a result: what a country's prompt scores, beside the model without it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..objectives import IndexObjective, SplitOpinions
from ..populations import TargetSet
from ..statistics.distances import js_distance

METRIC = "js_distance_nats"
TEMPERED = "unprompted_fitted_temperature"


def index_table(
    objective: IndexObjective,
    number: int,
    code: str,
    target_set: TargetSet,
    conditions: Mapping[str, np.ndarray],
) -> dict[str, Any]:
    """Index by index, from the answers (items, width) under every condition."""
    target = objective.targets[number]
    indices = {name: objective.outputs(rows[None])[0] for name, rows in conditions.items()}
    errors = {name: float(np.nanmean(np.abs(row - target))) for name, row in indices.items()}
    rows = zip(objective.survey.indices, target, *indices.values(), strict=True)
    names = [index.name for index in objective.survey.indices]
    return {
        "loss": errors["fitted"],
        "l1": float(np.nansum(np.abs(indices["fitted"] - target))),
        "errors": errors,
        "table": [
            {
                "index": index.name,
                "title": index.title,
                "target": _number(figure),
                **{name: float(value) for name, value in zip(indices, values, strict=True)},
                "error": _number(values[-1] - figure),
            }
            for index, figure, *values in rows
        ],
        "missing": [name for name, t in zip(names, target, strict=True) if np.isnan(t)],
        "estimate": code in target_set.estimates,
        "targets": {"name": target_set.name, "title": target_set.title},
        "constants": {
            "policy": objective.constants.policy,
            "values": dict(zip(names, objective.constants.values, strict=True)),
        },
    }


def opinion_table(
    opinions: SplitOpinions, number: int, conditions: Mapping[str, np.ndarray], seed: int
) -> dict[str, Any]:
    """Distances on the held-out and on the fitted questions, with intervals over questions.

    The baselines know nothing of the prompt: a uniform guess, the mean of the other countries, and
    the un-prompted answers at the temperature that suits the questions to fit.
    """
    whole, code = opinions.whole, opinions.codes[number]
    observed = whole.shares[number]
    held_out = np.array([item.id in opinions.held_out for item in whole.survey.items])
    there = ~np.isnan(observed).any(axis=1)

    sides = {"held_out": held_out & there, "fit": ~held_out & there}
    predictions = {
        "uniform": uniform(whole.survey),
        "mean_of_other_countries": _mean_of_others(opinions, code),
        TEMPERED: _tempered(conditions["unprompted"], observed, sides["fit"]),
        **conditions,
    }
    distances = {name: js_distance(rows, observed) for name, rows in predictions.items()}
    table: dict[str, Any] = {
        "survey": {"name": whole.survey.name, "title": whole.survey.title},
        "metric": METRIC,
    }
    for side, rows in sides.items():
        values = [
            Values(name, "condition" if name in conditions else "baseline", d[rows, None])
            for name, d in distances.items()
        ]
        scores, differences = summarise(
            code,
            values,
            [METRIC],
            np.arange(rows.sum()),
            np.zeros(rows.sum(), dtype=int),
            resamples=1000,
            seed=seed,
        )
        figures = ("value", "low", "high")
        table[side] = {
            "questions": int(rows.sum()),
            "distances": {
                s.condition: {f: _number(getattr(s, f)) for f in figures} for s in scores
            },
            "fitted_minus": {
                s.minus: {f: _number(getattr(s, f)) for f in figures}
                for s in differences
                if s.condition == "fitted"
            },
        }
    table["by_question"] = {
        item.id: {
            "held_out": bool(held_out[n]),
            **{name: _number(d[n]) for name, d in distances.items()},
        }
        for n, item in enumerate(whole.survey.items)
        if there[n]
    }
    return table


def _mean_of_others(opinions: SplitOpinions, code: str) -> np.ndarray:
    """(items, width), NaN where nobody else was asked."""
    own = opinions.asked.select(countries=[code])
    width = opinions.asked.survey.width
    rows = {item.id: np.full(width, np.nan) for item in opinions.asked.survey.items}
    for distribution, row in zip(
        own.distributions, mean_of_others(own, opinions.everyone), strict=True
    ):
        rows[distribution.item] = np.pad(row, (0, width - len(row)))
    return np.array(list(rows.values()))


def _tempered(answers: np.ndarray, observed: np.ndarray, fit: np.ndarray) -> np.ndarray:
    """(items, width): the answers at the temperature that is best on the questions to fit."""
    tried = [js_distance(at(answers[fit], t), observed[fit]).mean() for t in TEMPERATURES]
    return at(answers, float(TEMPERATURES[int(np.argmin(tried))]))


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
