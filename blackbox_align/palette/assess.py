"""How a palette answers for the countries of its map, beside what knows less and what knows more.

Points are S = 100 (1 - JS distance in nats) on questions that no colour was fitted to, answers averaged over
the orders of the options.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..adapters.adapter import Adapter
from ..assessment.asking import Asking, ask
from ..engines.base import Engine
from ..errors import SpecificationError
from ..populations import Population, find_population
from ..statistics import baselines
from ..statistics.distances import js_distance
from ..surveys.instruments import shares_by_country
from ..surveys.opinions import OpinionSurvey
from .gate import GateReport, gate_report
from .maps import PaletteMap
from .palette import Palette
from .scores import Scores

Array = NDArray[np.floating]

ORDERS = "cyclic"
UNIFORM, MODE = "uniform", "one-hot of the true mode"
OTHERS, SAME = "mean of other countries", "mean of the colour's other countries"
VANILLA, TEMPERED = "model as it is", "model as it is, fitted temperature"
PROMPTING, PROMPTING_TEMPERED = "country in text", "country in text, fitted temperature"
OWN, WRONG, RANDOM = "own colour", "a wrong colour", "a random colour"
MEAN, POOL, FIRST = "plain mean of the colours", "gated pool", "gated pool, first layer's gate"


@dataclass(frozen=True, eq=False)
class Asked:
    """What an engine answered: all that scores are made of.

    ``vanilla`` (items, options), ``told`` (countries, items, options) with the country in text, ``colours``
    (K, items, options) under each colour, ``layers`` (countries, layers, K) shares of the gate; ``people``
    (countries, items, options) is what was answered there, NaN where it was not asked, ``others`` and
    ``same`` the mean answers of all other countries, and of those of the same colour.
    """

    countries: tuple[Population, ...]
    items: tuple[str, ...]
    sizes: NDArray[np.integer]
    people: Array
    others: Array
    same: Array
    vanilla: Array
    told: Array
    colours: Array
    layers: Array
    own: NDArray[np.integer]


def assess_palette(
    palette: Palette,
    engine: Engine,
    opinions: OpinionSurvey,
    countries: Sequence[str] = (),
    orders: str = ORDERS,
) -> tuple[Scores, GateReport]:
    """Every way of answering on held-out questions, and what the gate does.

    The temperatures of the two rows that have one are fitted on the others, country by country.

    Parameters
    ----------
    countries : codes or names of countries of the map; by default all that have answers
    orders : of the options; by default every rotation, as in :func:`..assessment.score`

    Raises
    ------
    SpecificationError
        A country is in no colour, or every question was fitted to.
    ExpertError
        The palette is of another model.
    """
    asked = ask_palette(palette, engine, opinions, countries, orders)
    fit = np.array([item in palette.fitted_items for item in asked.items], dtype=bool)
    scores = score_ways(
        lambda number: _ways(asked, number, ~np.isnan(asked.people[number]).any(-1) & fit),
        asked.countries, asked.items, asked.people, fit,
    )  # fmt: skip
    return scores, gate_report(asked.layers, asked.own.tolist())


def ask_palette(
    palette: Palette,
    engine: Engine,
    opinions: OpinionSurvey,
    countries: Sequence[str] = (),
    orders: str = ORDERS,
) -> Asked:
    """Put the survey to the model as it is, with each country in text, and under each colour."""
    palette.refuse_other_model(engine.info)
    chosen = _countries(palette.map, opinions, countries)
    told = [Adapter(text=one.preamble()) for one in chosen]
    asking = Asking(orders)
    answers, _ = ask(engine, opinions.survey, [Adapter(), *told, *palette.adapters()], asking)
    cut = 1 + len(told)
    own = [palette.map.place_of(one.code) for one in chosen]
    return Asked(
        chosen,
        tuple(item.id for item in opinions.survey.items),
        np.array([len(item.scale) for item in opinions.survey.items]),
        *_people(opinions, palette.map, [one.code for one in chosen]),
        answers[0],
        answers[1:cut],
        answers[cut:],
        palette.layer_weights(engine, [one.name for one in chosen]),
        np.array(own, dtype=int),
    )


def _people(
    opinions: OpinionSurvey, palette_map: PaletteMap, codes: Sequence[str]
) -> tuple[Array, Array, Array]:
    """(countries, items, options) each: their answers, the mean of all others, and of the same colour's."""
    everyone = list(opinions.countries)
    shares = shares_by_country(opinions, everyone)
    colour = np.array([-1 if n is None else n for n in map(palette_map.place_of, everyone)])
    own, others, same = [], [], []
    for code in codes:
        here = everyone.index(code)
        alike = (colour == colour[here]) & (np.arange(len(everyone)) != here)
        own.append(shares[here])
        others.append(baselines.mean_of_others(shares, here))
        none = np.full_like(shares[here], np.nan)
        same.append(baselines.known_mean(shares[alike]) if alike.any() else none)
    return np.stack(own), np.stack(others), np.stack(same)


def score_ways(
    ways: Callable[[int], Mapping[str, Array]],
    countries: Sequence[Population],
    items: Sequence[str],
    people: Array,
    fit: NDArray[np.bool_],
) -> Scores:
    """Points of answers on the questions that are not in ``fit``.

    Parameters
    ----------
    ways : from the position of a country to (items, options) answers by name; of (several, items,
        options) the points are averaged
    people : (countries, items, options), NaN where nobody was asked
    """
    if fit.all():
        raise SpecificationError("Every question was fitted to; hold some out, or bring others.")
    rows: list[Array] = []
    questions: list[str] = []
    codes: list[str] = []
    names: tuple[str, ...] = ()
    for number, country in enumerate(countries):
        here = np.flatnonzero(~np.isnan(people[number]).any(-1) & ~fit)
        answered = ways(number)
        names = tuple(answered)
        points = [
            _points(answers[..., here, :], people[number, here]) for answers in answered.values()
        ]
        rows.append(np.stack(points, axis=1))
        questions += [items[int(n)] for n in here]
        codes += [country.code] * len(here)
    return Scores(names, np.concatenate(rows), np.array(questions), np.array(codes))


def _ways(asked: Asked, number: int, fit: NDArray[np.bool_]) -> dict[str, Array]:
    """(items, options) answers for a country by every way; of (several, ...) each is scored by itself."""
    people, own = asked.people, int(asked.own[number])
    shares = asked.layers[number]
    colours = asked.colours
    return {
        UNIFORM: baselines.uniform(asked.sizes),
        MODE: baselines.mode(people[number]),
        OTHERS: asked.others[number],
        SAME: asked.same[number],
        VANILLA: asked.vanilla,
        TEMPERED: at_fitted_temperature(asked.vanilla, people[number], fit),
        PROMPTING: asked.told[number],
        PROMPTING_TEMPERED: at_fitted_temperature(asked.told[number], people[number], fit),
        WRONG: np.delete(colours, own, axis=0),
        RANDOM: colours,
        MEAN: colours.mean(0),
        FIRST: np.tensordot(shares[0], colours, 1),
        POOL: np.tensordot(shares.mean(0), colours, 1),
        OWN: colours[own],
    }  # fmt: skip


def at_fitted_temperature(answers: Array, people: Array, fit: NDArray[np.bool_]) -> Array:
    """(items, options) answers at the temperature that suits those in ``fit`` best."""
    if not fit.any():
        return np.full_like(answers, np.nan)
    return baselines.sharpened(answers, baselines.best_temperature(answers[fit], people[fit]))


def _points(answers: Array, people: Array) -> Array:
    """(rows,) S of (rows, options), or its mean over several answers (several, rows, options)."""
    points = 100 * (1 - js_distance(answers, people))
    points = np.where(np.isnan(answers).any(-1), np.nan, points)
    return np.asarray(points.mean(0) if answers.ndim == 3 else points)


def _countries(
    palette_map: PaletteMap, opinions: OpinionSurvey, asked: Sequence[str]
) -> tuple[Population, ...]:
    if not asked:
        there = [code for code in palette_map.countries if code in opinions.countries]
        return tuple(find_population(code) for code in there)
    found = tuple(dict.fromkeys(find_population(name) for name in asked))
    for one in found:
        if palette_map.place_of(one.code) is None:
            raise SpecificationError(
                f"{one.name} is in no colour of the map {palette_map.name!r}; ask for some of "
                f"{', '.join(palette_map.countries)}."
            )
        if one.code not in opinions.countries:
            raise SpecificationError(f"{opinions.survey.title} has no answers of {one.name}.")
    return found
