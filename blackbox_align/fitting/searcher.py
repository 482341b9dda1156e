"""The optimizer of a run: its generator, and its options as they were when the run began."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..optimizers import Optimizer, create
from ..optimizers.registry import defaults
from .problem import OPTIMIZER, Problem, generator
from .stopping import Stopping

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
        targets = problem.objective.targets
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
