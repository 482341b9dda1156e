"""The rival that needs no search: the best of fifty texts in front of the questions.

Ten sentences name the country, and forty personas are the same for all. All are asked the survey, and
the one whose indices are nearest to the country's is kept: it is chosen by what a search sees.
"""

from __future__ import annotations

import numpy as np

from blackbox_align.adapters.adapter import Adapter
from blackbox_align.assessment import Asking, ask
from blackbox_align.committee import drawn_personas
from blackbox_align.engines.base import Engine
from blackbox_align.populations import find_country
from blackbox_align.populations.population import country_population
from blackbox_align.surveys.index_instrument import Indices

TEXT = "chosen text"
SENTENCES = (
    "You live in {country}.",
    "You were born and brought up in {country}; answer from your own life.",
    "You are a farmer in {country}.",
    "You work in an office in {country}.",
    "You are a student in {country}.",
    "You are a grandparent in {country}.",
    "You lead a small team at work in {country}.",
    "Think of what most people in {country} value, then answer as they do.",
    "Answer for the people of {country}, not for yourself.",
    "This questionnaire was handed out at a place of work in {country}.",
)
PERSONAS = 40


def texts_of(country: str) -> list[str]:
    """The fifty texts for a country, by code."""
    name = find_country(country).name
    drawn = drawn_personas(PERSONAS, np.random.default_rng(0))
    return [*(one.replace("{country}", name) for one in SENTENCES), *(one.text for one in drawn)]


def indices_under(engine: Engine, made: Indices, adapters: list[Adapter]) -> np.ndarray:
    """(adapters, indices) index points, in the orders that suit the model, as a fit asks."""
    answers, _ = ask(engine, made.survey, adapters, Asking(engine.info.orders, "own"))
    return np.stack([made.indices(rows) for rows in answers])


def chosen_text(
    engine: Engine, made: Indices, country: str, seen: np.ndarray | None = None
) -> Adapter:
    """The text with the least mean error; ``seen`` (indices,) are those that one may look at."""
    adapters = [Adapter(text=text) for text in texts_of(country)]
    target = made.figures(country_population(find_country(country)))
    errors = np.abs(indices_under(engine, made, adapters) - target)
    return adapters[int(errors[:, slice(None) if seen is None else seen].mean(axis=1).argmin())]
