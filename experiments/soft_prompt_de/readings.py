"""What else conditions do to a model: opinions on other questions, position, and the language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from study import Section, section

from blackbox_align.adapters.adapter import Adapter
from blackbox_align.assessment import Asking, Condition, ask
from blackbox_align.assessment.language import word_length
from blackbox_align.assessment.position_bias import both_directions, compare_directions
from blackbox_align.engines.base import Engine
from blackbox_align.results.names import MEAN_OF_OTHERS, UNIFORM
from blackbox_align.statistics import baselines
from blackbox_align.statistics.distances import js_distance
from blackbox_align.surveys.instruments import instrument_of, load_instrument
from blackbox_align.surveys.neutral_texts import neutral_texts
from blackbox_align.surveys.sheet import Sheet

Adapters = Mapping[str, Sequence[Mapping[str, Adapter]]]
"""By condition, and seed, from country to adapter."""


def opinion_section(
    engine: Engine, conditions: Mapping[str, Sequence[Condition]], countries: Sequence[str]
) -> Section:
    """The distance from people's answers to opinion questions, none of which was fitted to."""
    made = instrument_of(load_instrument("world-opinions"))
    people = [one for one in made.populations if one.code in countries]
    shares = {one.code: made.shares(one) for one in made.populations}
    rows: dict[str, list[np.ndarray]] = {}
    for one in people:
        adapters = [c.adapter(one) for several in conditions.values() for c in several]
        answers = iter(ask(engine, made.survey, adapters, Asking())[0])
        others = np.stack([rows for code, rows in shares.items() if code != one.code])
        given = {
            UNIFORM: [baselines.uniform(made.sizes)],
            MEAN_OF_OTHERS: [np.nanmean(others, axis=0)],
            **{name: [next(answers) for _ in several] for name, several in conditions.items()},
        }
        for name, several in given.items():
            distances = [js_distance(answer, shares[one.code]) for answer in several]
            rows.setdefault(name, []).append(np.mean(distances, axis=0))
    answered = {name: np.concatenate(parts) for name, parts in rows.items()}
    about = np.repeat([one.code for one in people], len(made.items))
    question = np.tile(np.arange(len(made.items)), len(people))
    known = ~np.isnan(next(iter(answered.values())))
    return section(
        "Opinions: Jensen-Shannon distance (nats) on questions that nothing was fitted to",
        "js_distance_nats",
        3,
        {name: values[known] for name, values in answered.items()},
        about[known],
        question[known],
        [one.code for one in people],
    )


def bias_table(study: Any, conditions: Adapters, countries: Sequence[str]) -> list[str]:
    """How the means of VSM items asked straight and reversed correlate, by condition."""
    survey = study.problem.data.survey
    lines = [
        "Item means of VSM 2013 asked straight and reversed: their correlation, median over countries and "
        "seeds (range), and the part of the answers that turns around with the scale.",
        "",
        "| | correlation | share |",
        "|---|---|---|",
    ]
    for name, several in conditions.items():
        adapters = [one[c] for one in several for c in countries]
        answers = study.kept.answer(adapters, study.problem.sheet).probabilities
        found = [compare_directions(one, survey) for one in both_directions(answers, survey)]
        place = [one.correlation for one in found]
        share = [one.share for one in found]
        lines.append(f"| {name} | {_spread(place, '+.2f')} | {_spread(share, '.2f')} |")
    return lines


def language_table(engine: Engine, conditions: Adapters, countries: Sequence[str]) -> list[str]:
    """What is left of the language under every condition, on texts that no search read."""
    texts = neutral_texts().held_out
    plain = engine.answer([Adapter()], Sheet((), texts)).surprise.mean()
    lines = [
        f"On {len(texts)} plain texts (un-prompted perplexity {np.exp(plain):.1f}), median over countries "
        "and seeds (range):",
        "",
        "| | perplexity, times un-prompted | KL, nats a token | norm, words |",
        "|---|---|---|---|",
    ]
    word = word_length(engine)
    for name, several in conditions.items():
        adapters = [one[c] for one in several for c in countries]
        read = engine.answer(adapters, Sheet((), texts))
        ratio = np.exp(read.surprise.mean(axis=1) - plain)
        norms = [
            np.linalg.norm(one.prompt.vectors, axis=1).mean() / word
            for one in adapters
            if one.prompt
        ]
        lines.append(
            f"| {name} | {_spread(ratio, ',.2f')} | {_spread(read.divergence.mean(axis=1), '.2f')} "
            f"| {_spread(norms, '.1f') if norms else ''} |"
        )
    return lines


def _spread(values: Sequence[float] | np.ndarray, form: str) -> str:
    middle, low, high = np.median(values), min(values), max(values)
    if low == high:
        return f"{middle:{form}}"
    return f"{middle:{form}} ({low:{form}} to {high:{form}})"
