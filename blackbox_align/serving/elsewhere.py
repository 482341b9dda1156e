"""A committee whose experts are served elsewhere: each a model of its own at one address."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..adapters.adapter import Adapter
from ..committee import Decision, mixed
from ..engines.http import HttpEngine
from ..errors import SpecificationError
from ..surveys.sheet import average, sheet
from ..surveys.survey import Survey
from .roster import BASE, COMMITTEE


@dataclass(frozen=True)
class ServedExpert:
    """A model at an address, called as it is listed there; ``country`` is the population it speaks for."""

    name: str
    country: str


def served_experts(url: str, key: str = "") -> list[ServedExpert]:
    """The experts that an address lists: all models of :func:`.server.serve` but the two that are none.

    Another server says nothing of populations: there an expert stands for what it is called.

    Raises :class:`..errors.ModelError` where nobody answers there, and :class:`SpecificationError` where
    there is no expert.
    """
    found = [
        ServedExpert(name, str(about.get("population", name)))
        for name, about in HttpEngine(url, key=key).models.items()
        if name not in (BASE, COMMITTEE)
    ]
    if not found:
        raise SpecificationError(f"{url} lists no expert to ask.")
    return found


def answer_closed_elsewhere(
    url: str, decision: Decision, survey: Survey, orders: str, key: str = ""
) -> tuple[np.ndarray, np.ndarray]:
    """(experts, options) shares, in the order of the weights, and (options,) their mixture.

    As :func:`..committee.answer_closed`, of experts at an address.
    """
    parts = [
        HttpEngine(url, name, key).answer([Adapter()], sheet(survey, orders)).probabilities[0]
        for name in decision.weights
    ]
    averaged = average(np.asarray(parts, np.float64), survey, orders)
    return averaged[:, 0], mixed(averaged, decision)[0]
