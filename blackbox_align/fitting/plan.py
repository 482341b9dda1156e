"""Many fits from one plan: every combination of the settings that are varied, each an ordinary run.

A killed comparison goes on where it stopped, as every cell is a run; more cells are added by asking for
more.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import BlackboxAlignError, RunError, SpecificationError, UnknownNameError
from ..files.yaml import read_yaml
from ..optimizers import create
from ..results.comparison import Cell, Comparison
from .fit import fit
from .run import Run
from .specification import Specification
from .stopping import Stopping

_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_ENDS = ("budget", "target_loss", "patience", "seconds")


@dataclass(frozen=True)
class Plan:
    """What is varied (``axes``, each with its values) and what all cells share (``shared``)."""

    axes: Mapping[str, tuple[Any, ...]]
    shared: Mapping[str, Any]

    def __post_init__(self) -> None:
        known = {*inspect.signature(Specification).parameters, *_ENDS}
        for name in (*self.axes, *self.shared):
            if name not in known:
                raise UnknownNameError("setting of a comparison", name, known)
        if not self.axes.get("country"):
            raise SpecificationError("A comparison needs a country; give at least one.")
        for name, values in self.axes.items():
            if not values or len(set(map(repr, values))) < len(values):
                raise SpecificationError(
                    f"The values of {name} must be there, each of them once; not {list(values)}."
                )
        for cell in self.cells():  # a slip in any of them is told before the first one runs
            self._split(cell)

    def cells(self) -> list[dict[str, Any]]:
        """The settings that were varied, cell by cell; seeds go round first, so all methods grow alike."""
        order = sorted(self.axes, key=lambda name: (name != "seed", name != "country"))
        return [
            {name: dict(zip(order, values, strict=True))[name] for name in self.axes}
            for values in product(*(self.axes[name] for name in order))
        ]

    @property
    def stopping(self) -> Stopping:
        """When a search ends, where that is not varied."""
        return self._split({name: values[0] for name, values in self.axes.items()})[1]

    def _split(self, cell: Mapping[str, Any]) -> tuple[Specification, Stopping]:
        settings = {**self.shared, **cell}
        ends = {name: settings.pop(name) for name in _ENDS if name in settings}
        specification = Specification(**settings)
        # A rehearsal, so that a slip in an optimizer's name or options is told before the first run.
        create(
            specification.optimizer,
            100,
            np.random.default_rng(0),
            budget=ends.get("budget", Stopping.budget),
            **specification.options,
        )
        ends = {
            "budget": Stopping.budget,
            "target_loss": None,
            "patience": None,
            "seconds": None,
        } | ends
        return specification, Stopping.for_objective(specification.fits_opinions, **ends)

    def folder(self, cell: Mapping[str, Any]) -> str:
        """The name of a cell's run: what is varied in it."""
        parts = [re.sub(r"[^\w.+-]+", "-", str(cell[name])).strip("-") for name in self.axes]
        return "_".join(parts)


def read_plan(path: Path) -> Plan:
    """A plan from a YAML file: a list of values, or a range such as ``0..4``, is varied.

    Raises :class:`..errors.DataFileError` where it is none.
    """
    document = read_yaml(path)
    content = document.value
    if not isinstance(content, dict):
        raise SpecificationError(
            f"{path}: expected settings and their values, such as 'optimizer: [gauss-newton, de]'."
        )
    axes, shared = {}, {}
    for name, value in content.items():
        spread = expand(value)
        if spread is not None or name in ("country", "seed"):
            axes[str(name)] = spread or (value,)
        else:
            shared[str(name)] = value
    return Plan(axes, shared)


def expand(value: Any) -> tuple[Any, ...] | None:
    """The values of a list or of a range ``first..last``; None for a single value."""
    if isinstance(value, (list, tuple)):
        return tuple(value)
    found = _RANGE.fullmatch(str(value).strip())
    return tuple(range(int(found[1]), int(found[2]) + 1)) if found else None


def run_plan(
    plan: Plan,
    folder: Path | str,
    *,
    jobs: int = 1,
    on_cell: Callable[[int, int, str], None] = lambda done, cells, failure: None,
) -> Comparison:
    """Run every cell that is not done, ``jobs`` at a time, each on one thread.

    ``on_cell`` is told after every cell how many are done, of how many, and why one failed. A cell that
    fails stands in no other one's way.
    """
    from joblib import Parallel, delayed

    cells = plan.cells()
    work = (delayed(_run_cell)(plan, cell, Path(folder)) for cell in cells)
    parallel = Parallel(n_jobs=jobs, return_as="generator_unordered")
    failures: dict[str, str] = {}
    for number, (name, failure) in enumerate(parallel(work), start=1):
        if failure:
            failures[name] = failure
        on_cell(number, len(cells), f"{name}: {failure}" if failure else "")
    return read_comparison(plan, folder, failures)


def _run_cell(plan: Plan, cell: Mapping[str, Any], folder: Path) -> tuple[str, str]:
    import torch

    torch.set_num_threads(1)  # cells, not threads, share a machine's cores
    name = plan.folder(cell)
    try:
        fit(runs=folder, name=name, **{**plan.shared, **cell})
    except BlackboxAlignError as error:
        return name, str(error)
    return name, ""


def read_comparison(
    plan: Plan, folder: Path | str, failures: Mapping[str, str] | None = None
) -> Comparison:
    """What the runs of a plan hold so far; reads their journals only."""
    found = tuple(_read_cells(plan, Path(folder), failures or {}))
    stopping = plan.stopping
    return Comparison(found, stopping.target_loss, stopping.budget)


def _read_cells(plan: Plan, folder: Path, failures: Mapping[str, str]) -> Iterator[Cell]:
    for cell in plan.cells():
        name = plan.folder(cell)
        path = folder / name
        best, failure = np.empty(0), failures.get(name, "")
        if not failure:
            try:
                best = _best_so_far(Run.load(path))
            except RunError as error:
                failure = str(error)
        yield Cell(cell, best, failure, str(path))


def _best_so_far(run: Run) -> np.ndarray:
    """(evaluations,) the error of the best prompt after each; inf until one has succeeded."""
    history = run.history()
    losses = history["loss"].fillna(np.inf).to_numpy(float)
    errors = history["error" if "error" in history else "loss"].fillna(np.inf).to_numpy(float)
    better = losses < np.concatenate([[np.inf], np.fmin.accumulate(losses)[:-1]])
    best = np.maximum.accumulate(np.where(better, np.arange(len(losses)), 0))
    return np.asarray(errors[best])
