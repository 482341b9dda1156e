"""Before the clock of a search starts: what its passes need is compiled, and said."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..adapters import Parameterization
from ..engines import Engine
from ..surveys.sheet import Sheet
from .budget import spoken_seconds
from .listeners import OnProgress, Progress
from .outcome import Outcome


def make_ready(
    outcome: Outcome,
    budget: int,
    facts: Mapping[str, Any],
    on_progress: OnProgress,
    on_trouble: Callable[[str], None],
) -> None:
    """Get the passes of a search of ``budget`` evaluations ready, and say in a sentence what was compiled.

    A search along gradients asks otherwise, and on a CPU there mostly is nothing to get ready.
    """
    optimizer, sheet = outcome.optimizer, outcome.problem.sheet
    if optimizer.capabilities.uses_gradient:
        return
    began = time.perf_counter()

    def on_size(done: int, of: int) -> None:
        said = f"getting ready, {done}/{of} sizes of a pass"
        on_progress(Progress(0, budget, None, 0, 0.0, said))

    asks, lasts = min(optimizer.batch, budget), budget * facts["price"]["seconds"]
    sizes = warm_up(outcome.engine, outcome.space, sheet, asks, lasts, on_size)
    if sizes:
        spent = spoken_seconds(time.perf_counter() - began)
        passes = f"{sizes} sizes of a pass" if sizes > 1 else "one size of a pass"
        on_trouble(
            f"Layers were compiled for {passes} in {spent}, before the search and its clock."
        )


def warm_up(
    engine: Engine,
    space: Parameterization,
    sheet: Sheet,
    candidates: int,
    seconds: float = 0.0,
    on_size: Callable[[int, int], None] = lambda done, of: None,
) -> int:
    """Ask once in every size that asks of up to so many ``candidates`` come in, where an engine says that it
    has to; how many of them were compiled, for what lasts ``seconds``.
    """
    warm = getattr(engine, "warm_up", None)
    if warm is None:
        return 0
    [start] = space.adapters(np.zeros((1, space.dimension)))
    return int(warm(start, sheet, candidates, seconds, on_size))
