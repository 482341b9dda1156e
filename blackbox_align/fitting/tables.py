"""The tables of a result: what a country's prompt scores, beside the model without it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..assessment.figures import Resampling, Rows, figures
from ..objectives import IndexObjective, SplitOpinions
from ..populations import TargetSet, find_population
from ..results import Figure
from ..results.format1 import NAMES
from ..results.names import FITTED
from ..surveys.opinion_instrument import Opinions

METRIC = "js_distance_nats"
_NAMES = NAMES
_OLD = {new: old for old, new in NAMES.items()}


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
    instrument = Opinions(opinions.asked, opinions.everyone)
    people = find_population(opinions.codes[number], opinions.everyone)
    fit = {item.id for item in instrument.items} - opinions.held_out
    measured = {
        **instrument.baselines(people, conditions["unprompted"], fit),
        **{_NAMES[name]: instrument.measure(rows, people) for name, rows in conditions.items()},
    }
    rows = Rows(people, instrument.rows(people), measured)
    found = [
        f for f in figures(instrument, [rows], fit, Resampling(1000, seed)) if f.metric == METRIC
    ]
    table: dict[str, Any] = {
        "survey": {"name": instrument.name, "title": instrument.title},
        "metric": METRIC,
    }
    for side, split in (("held_out", "held-out"), ("fit", "fit")):
        here = [f for f in found if f.split == split]
        table[side] = {
            "questions": max(f.n for f in here),
            "distances": {_OLD[f.condition]: _interval(f) for f in here if not f.minus},
            "fitted_minus": {
                _OLD[f.minus]: _interval(f) for f in here if f.minus and f.condition == FITTED
            },
        }
    ids = [instrument.items[n].id for n in rows.question]
    table["by_question"] = {
        name: {
            "held_out": name in opinions.held_out,
            **{_OLD[c]: _number(m[METRIC][n]) for c, m in measured.items()},
        }
        for n, name in enumerate(ids)
    }
    return table


def _interval(figure: Figure) -> dict[str, float | None]:
    return {key: _number(getattr(figure, key)) for key in ("value", "low", "high")}


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
