"""The optimizer of a run: its generator, and its options as they were when the run began."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from ..adapters import Parameterization, from_vocabulary
from ..adapters.parameterization import FullSpace
from ..engines import Engine
from ..optimizers import Optimizer, create
from ..optimizers.registry import defaults
from .data import OPTIMIZER, STARTS, generator
from .problem import Problem
from .record import Record, Writer
from .specification import USUAL_START, Specification
from .stopping import Stopping

OFFERED = 12  # other words to start from
EXAMPLES = 8192  # words that random steps may lie like, at most: twice the width of an 8B model
# The defaults of versions that recorded none.
_FORMER: dict[str, dict[str, Any]] = {
    "gauss-newton": {"spread": 8.0, "radius": 4.0, "batch": 12, "kernel": "gaussian"},
}


def options_of(problem: Problem, recorded: Mapping[str, Any]) -> dict[str, Any]:
    """All options of a run's optimizer: those asked for, over the defaults of when it began.

    ``recorded`` are the facts of a run that goes on, empty for one that begins.
    """
    settings = problem.specification
    if not recorded:
        many = len(problem.populations) > 1
        return {**defaults(settings.optimizer, many=many), **settings.options}
    former = _FORMER.get(settings.optimizer, {})
    return dict(recorded.get("options") or {**former, **settings.options})


def make_optimizer(
    problem: Problem, dimension: int, stopping: Stopping, options: Mapping[str, Any]
) -> Optimizer:
    """The search of a problem, from its own generator; ``options`` are those of :func:`options_of`."""
    settings, targets, enough = problem.specification, None, 0.0
    if len(problem.populations) > 1:
        targets = problem.targets
        # Only of indices is the loss the mean of the residuals.
        enough = 0.0 if settings.fits_opinions else stopping.target_loss
    return create(
        settings.optimizer,
        dimension,
        generator(settings, OPTIMIZER),
        budget=stopping.budget,
        targets=targets,
        enough=enough,
        **options,
    )


def offered_to(recorded: Mapping[str, Any], earlier: Record | None) -> dict[str, int]:
    """How many other words, and examples of words, a search is offered: as recorded, else what is usual.

    One that starts from an ``earlier`` run has no probe of its own: its way counts as short where that was.
    """
    if recorded:
        return {key: int(recorded.get(key, 0)) for key in ("starts", "examples")}
    near = earlier is None or (earlier.facts.get("probe") or {}).get("near", False)
    return {"starts": OFFERED, "examples": EXAMPLES if near else 0}


def offer_starts(
    optimizer: Optimizer,
    settings: Specification,
    engine: Engine,
    space: Parameterization,
    count: int,
    examples: int = EXAMPLES,
) -> None:
    """Offer ``count`` other words, drawn as the first ones were, to a search that starts from words, and so
    many ``examples`` of words to draw steps like."""
    if count and settings.init == USUAL_START and isinstance(space, FullSpace):
        rng, size = generator(settings, STARTS), engine.info.vocabulary
        words = [from_vocabulary(engine, settings.length, size, rng) for _ in range(count)]
        drawn = rng.choice(size, min(size, examples), replace=False).tolist()
        several = engine.embed(drawn) if len(drawn) > 1 else np.zeros((0, engine.info.width))
        several = several[np.isfinite(several).all(axis=1)]  # of rows that no word has some are not
        optimizer.offer(space.coordinates(np.stack(words)), several if len(several) > 1 else None)


def note_probe(optimizer: Optimizer, writer: Writer, on_trouble: Callable[[str], None]) -> None:
    """Write down, once, by what a search chose its steps; say so where noise drowns them."""
    probe, facts = getattr(optimizer, "probe", None), writer.record.facts
    if probe is None or facts.get("probe") == asdict(probe):
        return
    writer.update(facts={**facts, "probe": asdict(probe)})
    if probe.drowned:
        on_trouble(
            f"Noise of {probe.noise:.2g} in what is asked is larger than what a step does where the answers "
            "are linear: the search may not get far. More --respondents, or --dtype float32, mend that."
        )
