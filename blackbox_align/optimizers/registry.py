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
from numpy.typing import ArrayLike

from blackbox_align.errors import OptimizerError, UnknownNameError
from blackbox_align.optimizers.base import Capabilities, Optimizer

Option = float | int | str | bool | None
GROUP = "blackbox_align.optimizers"
NEVERGRAD = "ng:"


@dataclass(frozen=True)
class Registered:
    """Where an optimizer's class is, and the options that its name stands for."""

    path: str
    summary: str
    preset: Mapping[str, Option] = field(default_factory=dict)
    many: str | None = None
    """The path of the class that serves several targets at once."""

    def load(self) -> type[Optimizer]:
        return _load(self.path)


def _load(path: str) -> type[Optimizer]:
    module, _, attribute = path.partition(":")
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
        "gauss_newton:GaussNewton",
        "trust-region least squares on a model of the residuals",
        many="gauss_newton_many:GaussNewtonMany",
    ),
    "eki": Registered(
        "ensemble_kalman:EnsembleKalmanInversion", "ensemble Kalman inversion, sees residuals"
    ),
    "es": Registered(
        "evolution_strategy:EvolutionStrategy",
        "an evolution strategy without covariance or subspace",
    ),
    "fzoo": Registered(
        "evolution_strategy:EvolutionStrategy",
        "steps along few random signs, as a zeroth-order gradient",
        {"batch_size": 8, "learning_rate": 1.0, "signs": True},
    ),
    "adam": Registered("adam:Adam", "follows the gradient, where an engine gives one"),
}


@dataclass(frozen=True)
class Description:
    """What can be said of an optimizer without making one."""

    name: str
    summary: str
    options: dict[str, Option]
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
    *,
    targets: ArrayLike | None = None,
    enough: float = 0.0,
    **options: Option,
) -> Optimizer:
    """The optimizer called ``name``, with ``options`` over its defaults.

    With ``targets``, ``(K, m)``, it is the one that serves K targets in one search: it is told the m
    plain outputs as residuals, and is done with a target whose mean ``|output - target|`` is at
    most ``enough``.

    Raises UnknownNameError for a name, OptimizerError for an option that is not there, and
    MissingDependencyError where the name needs a package that is not installed.
    """
    kind, preset = _find(name)
    known = _options(kind, preset)
    for option in options:
        if option not in known:
            listed = ", ".join(known) or "none"
            raise OptimizerError(f"{name} has no option {option!r}; its options: {listed}.")
    given: dict[str, Any] = {**preset, **options}
    if targets is not None:
        kind = _find_many(name)
        given = {**given, "targets": (targets, enough)}
    optimizer = kind(dimension, rng, budget=budget, **given)
    optimizer.name = name
    return optimizer


def defaults(name: str, *, many: bool = False) -> dict[str, Option]:
    """The options of an optimizer at what they are by default; ``many``: where it serves several targets."""
    kind, preset = _find(name)
    options = _options(_find_many(name) if many else kind, preset)
    return {key: value for key, value in options.items() if key != "targets"}


def _find_many(name: str) -> type[Optimizer]:
    path = OURS[name].many if name in OURS else None
    if path is None:
        able = ", ".join(repr(known) for known, entry in OURS.items() if entry.many)
        raise OptimizerError(f"{name} searches for one target at a time; several: {able}.")
    return _load(path)


def describe(name: str) -> Description:
    """Summary, options with defaults, capabilities and documentation of an optimizer."""
    kind, preset = _find(name)
    documentation = inspect.cleandoc(kind.__doc__ or "")
    summary = OURS[name].summary if name in OURS else documentation.partition("\n")[0]
    return Description(name, summary, _options(kind, preset), kind.capabilities, documentation)


def _find(name: str) -> tuple[type[Optimizer], Mapping[str, Option]]:
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


def _options(kind: type[Optimizer], preset: Mapping[str, Option]) -> dict[str, Option]:
    parameters = inspect.signature(kind.__init__).parameters.values()
    return {
        p.name: preset.get(p.name, p.default)
        for p in parameters
        if p.kind is p.KEYWORD_ONLY and p.name != "budget"
    }
