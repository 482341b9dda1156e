"""Optimizers by name: ours, those of nevergrad (``ng:NAME``), and those of plug-ins.

Nothing is imported before an optimizer is asked for by name. A plug-in registers its class under
the entry-point group ``blackbox_align.optimizers``; our own names cannot be taken over.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import numpy as np

from blackbox_align.errors import OptimizerError, UnknownNameError
from blackbox_align.optimizers.base import Capabilities, Optimizer

GROUP = "blackbox_align.optimizers"
NEVERGRAD = "ng:"


@dataclass(frozen=True)
class Registered:
    """Where an optimizer's class is, and the options that its name stands for."""

    path: str
    summary: str
    preset: Mapping[str, Any] = field(default_factory=dict)

    def load(self) -> type[Optimizer]:
        module, _, attribute = self.path.partition(":")
        loaded: type[Optimizer] = getattr(
            importlib.import_module(f"blackbox_align.optimizers.{module}"), attribute
        )
        return loaded


_DE = "differential_evolution:DifferentialEvolution"
_CMA = "cma_es:CMAES"

OURS: dict[str, Registered] = {
    "random": Registered("random_search:RandomSearch", "independent draws, best kept"),
    "de": Registered(_DE, "Differential Evolution rand/1/bin, as in arXiv 2503.16094"),
    "de-best": Registered(_DE, "Differential Evolution best/1/bin", {"strategy": "best/1/bin"}),
    "de-current-to-best": Registered(
        _DE,
        "Differential Evolution current-to-best/1/bin",
        {"strategy": "current-to-best/1/bin"},
    ),
    "shade": Registered("lshade:SHADE", "Differential Evolution that learns F and CR"),
    "lshade": Registered(
        "lshade:SHADE", "SHADE with a population that shrinks over the budget", {"reduction": True}
    ),
    "cma": Registered(_CMA, "CMA-ES with a full covariance"),
    "cma-diagonal": Registered(_CMA, "CMA-ES with a diagonal covariance", {"diagonal": True}),
    "cma-ipop": Registered(_CMA, "CMA-ES with growing restarts", {"restarts": "ipop"}),
    "cma-bipop": Registered(_CMA, "CMA-ES with large and small restarts", {"restarts": "bipop"}),
    "cma-lra": Registered(
        "cma_learning_rate:LearningRateCMAES", "CMA-ES with learning-rate adaptation, for noise"
    ),
    "gauss-newton": Registered(
        "gauss_newton:GaussNewton", "trust-region least squares on a model of the residuals"
    ),
    "eki": Registered(
        "ensemble_kalman:EnsembleKalmanInversion", "ensemble Kalman inversion, sees residuals"
    ),
}


@dataclass(frozen=True)
class Description:
    """What can be said of an optimizer without making one."""

    name: str
    summary: str
    options: dict[str, Any]
    capabilities: Capabilities
    documentation: str


def names(*, nevergrad: bool = False) -> list[str]:
    """All names: ours, then plug-ins; with ``nevergrad`` also each ``ng:NAME`` (imports it)."""
    found = [*OURS, *sorted(name for name in _plugins() if name not in OURS)]
    if nevergrad:
        from blackbox_align.optimizers.nevergrad_bridge import nevergrad_names

        found += [NEVERGRAD + name for name in nevergrad_names()]
    return found


def create(
    name: str,
    dimension: int,
    rng: np.random.Generator,
    budget: int | None = None,
    **options: Any,
) -> Optimizer:
    """The optimizer called ``name``, with ``options`` over its defaults.

    Raises UnknownNameError for a name, OptimizerError for an option that is not there, and
    MissingDependencyError where the name needs a package that is not installed.
    """
    kind, preset = _find(name)
    known = _options(kind, preset)
    for option in options:
        if option not in known:
            given = ", ".join(known) or "none"
            raise OptimizerError(f"{name} has no option {option!r}; its options: {given}.")
    optimizer = kind(dimension, rng, budget=budget, **{**preset, **options})
    optimizer.name = name
    return optimizer


def describe(name: str) -> Description:
    """Summary, options with defaults, capabilities and documentation of an optimizer."""
    kind, preset = _find(name)
    documentation = inspect.cleandoc(kind.__doc__ or "")
    summary = OURS[name].summary if name in OURS else documentation.partition("\n")[0]
    return Description(name, summary, _options(kind, preset), kind.capabilities, documentation)


def _find(name: str) -> tuple[type[Optimizer], Mapping[str, Any]]:
    if name in OURS:
        return OURS[name].load(), OURS[name].preset
    if name.startswith(NEVERGRAD):
        from blackbox_align.optimizers.nevergrad_bridge import nevergrad_optimizer

        return nevergrad_optimizer(name.removeprefix(NEVERGRAD)), {}
    if name in _plugins():
        return _load_plugin(_plugins()[name]), {}
    raise UnknownNameError("optimizer", name, names(), hint="'ng:NAME' is nevergrad's NAME.")


@cache
def _plugins() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def _load_plugin(point: EntryPoint) -> type[Optimizer]:
    kind = point.load()
    if not (isinstance(kind, type) and issubclass(kind, Optimizer)):
        raise OptimizerError(
            f"The plug-in {point.name!r} ({point.value}) is not a subclass of "
            "blackbox_align.optimizers.Optimizer."
        )
    return kind


def _options(kind: type[Optimizer], preset: Mapping[str, Any]) -> dict[str, Any]:
    parameters = inspect.signature(kind.__init__).parameters.values()
    return {
        p.name: preset.get(p.name, p.default)
        for p in parameters
        if p.kind is p.KEYWORD_ONLY and p.name != "budget"
    }
