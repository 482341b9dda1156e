"""Where a search by gradients puts its prompt when nobody says it: where the model heeds one.

The place that costs the language least is far from the answer, and a model that hardly looks so far back
cannot be moved from there, however good the search. One gradient tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..adapters import word_norm
from ..engines import Engine
from ..optimizers import Capabilities
from .asking import Asked, search_space
from .data import PROMPT, Data, generator
from .gradients import by_answers, refuse_without_gradient
from .problem import pose
from .settled import settle
from .specification import Specification

HEEDED = 1.0
"""Index points that a step of a word's length, along the gradient, has to be worth."""
BEHIND = 20  # virtual tokens of a prompt that stands last instead: more of them go less far each
STEPS = {"learning_rate": 0.6, "beta2": 0.9}
"""Adam's there: such a model is flat where a search begins, and its slopes grow a hundredfold on the way, so
that steps are long and soon forget how steep it was (experiments/gradient_reference)."""


def slope_of(engine: Engine, settings: Specification, data: Data, asked: Asked) -> float:
    """What a step of a word's length along the gradient takes off the loss, by the slope at the words that a
    search begins with: in index points, or hundredths of a JS distance where opinions alone are fitted.
    """
    problem = pose(replace(data, specification=replace(settings, language=0.0)), asked)
    space = search_space(settings, engine, generator(settings, PROMPT))
    answers, pull = engine.pullback(space.adapters(np.zeros((1, space.dimension))), problem.sheet)
    slopes = pull(by_answers(answers, problem.cotangent(answers.probabilities)))
    in_points = 1.0 if settings.fits_indices else problem.objective.parts["opinions"].in_points
    return float(np.linalg.norm(slopes)) * word_norm(engine) * in_points


def place(
    engine: Engine,
    settings: Specification,
    data: Data,
    asked: Asked,
    recorded: Mapping[str, Any],
    search: Capabilities,
) -> tuple[Specification, dict[str, Any]]:
    """Settled settings, the prompt of a search by gradients last where its usual place is not heeded.

    Returns
    -------
    the settings, and what was measured, as facts: nothing where no gradient is followed, or where the place
    was asked for, recorded, or named by the model's card

    Raises
    ------
    ModelError
        The search follows gradients, and the engine has none.
    """
    if not search.uses_gradient:
        return settings, {}
    refuse_without_gradient(engine)
    info, wanted = engine.info, data.specification
    if wanted.placement != "auto" or recorded or info.placement == info.searched:
        return settings, {}
    slope = slope_of(engine, settings, data, asked)
    facts = {"slope": slope, "slope_at": settings.placement}
    if slope >= HEEDED:  # what is NaN is not heeded
        return settings, facts
    # What the language counts stays what it was: so many tokens can cost a good deal of it.
    weight = settings.language if wanted.language is None else wanted.language
    last = replace(wanted, placement="last", tokens=wanted.tokens or BEHIND, language=weight)
    return settle(last, info, recorded, uses_gradient=True), facts


def with_steps(
    options: Mapping[str, Any], asked: Specification, facts: Mapping[str, Any]
) -> dict[str, Any]:
    """The options of a search that begins, for a prompt that was put last; those asked for stay."""
    moved = asked.optimizer == "adam" and facts and not facts["slope"] >= HEEDED
    return {**options, **STEPS, **asked.options} if moved else dict(options)


def describe_place(facts: Mapping[str, Any]) -> tuple[str, ...]:
    """A sentence where a prompt stands last because its usual place was not heeded."""
    if "slope" not in facts or facts["slope"] >= HEEDED:
        return ()
    where = {"first": "before everything", "message": "inside the first message"}[facts["slope_at"]]
    return (
        f"The prompt stands last: {where} a step of a word's length moves this model's answers by "
        f"{facts['slope']:.2g} points along the gradient, which is too little to search by.",
    )
