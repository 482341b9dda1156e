"""What an evaluation costs here, measured once before a search, beside the noise of the precision."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from ..adapters import Parameterization
from ..adapters.adapter import PLACEMENTS
from ..engines import Engine
from ..errors import BlackboxAlignError
from ..optimizers import Capabilities
from .asking import tokens_of
from .budget import PASSES_OF_A_STEP, Price
from .noise import Noise, measure_noise
from .problem import Problem
from .warm import warm_up

_TIMED = 6  # prompts side by side, as many as a batch of the default search
_SHORTEST = 1e-6  # seconds, of a clock that did not move


def heard_and_priced(
    engine: Engine, problem: Problem, space: Parameterization, search: Capabilities
) -> tuple[Noise | None, Price]:
    """Asks a few prompts that have to be asked in any case: one to get ready, and those of the noise.

    A step along the gradient is taken for three evaluations, as it mostly is.
    """
    start = space.adapters(np.zeros((1, space.dimension)))
    warm_up(engine, space, problem.sheet, _TIMED)
    engine.answer(start, problem.sheet)
    started = time.perf_counter()
    noise = measure_noise(engine, problem)
    asked = _TIMED
    if noise is None:
        engine.answer(start, problem.sheet)
        asked = 1
    seconds = max((time.perf_counter() - started) / asked, _SHORTEST)
    passes = PASSES_OF_A_STEP if search.uses_gradient else 1
    tokens = tokens_of(engine, space, problem.sheet)
    return noise, Price(passes * tokens, float(f"{passes * seconds:.3g}"))


def tokens_by_placement(
    engine: Engine, problem: Problem, space: Parameterization
) -> tuple[tuple[str, int], ...]:
    """What an evaluation would cost with the prompt elsewhere, in tokens; empty where nobody knows."""
    count = getattr(engine, "tokens_of", None)
    [start] = space.adapters(np.zeros((1, space.dimension)))
    if count is None or start.prompt is None:
        return ()
    found = []
    for place in PLACEMENTS:
        moved = replace(start, prompt=replace(start.prompt, placement=place))
        try:
            found.append((place, int(count(moved, problem.sheet))))
        except BlackboxAlignError:  # a model that has no such place
            continue
    return tuple(found)
