"""Many fits from one plan: every combination of the settings that are varied, each an ordinary run.

A killed comparison goes on where it stopped, as every cell is a run; more cells are added by asking for
more.
"""

from __future__ import annotations

import inspect
import math
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from ..engines.opening import forget_engine, keep_engine
from ..errors import BlackboxAlignError, RunError, SpecificationError, UnknownNameError
from ..files.atomic import plain_errors, read_sealed_json, write_sealed_json
from ..files.yaml import read_yaml
from ..optimizers import create
from ..results import Result
from ..results.comparison import Cell, Comparison
from . import texts
from .entry import rounds_of
from .fit import fit
from .run import Run
from .specification import Specification
from .stopping import Stopping

PROBE = 40
"""Evaluations of the short fit that tells how long a comparison will take."""
_RANGE = re.compile(r"(\d+)\.\.(\d+)")
FILE = "comparison.json"
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

    def adding(self, axes: Mapping[str, tuple[Any, ...]]) -> Plan:
        """The plan with more values of what it varies; :class:`SpecificationError` for anything else."""
        for name in axes:
            if name not in self.axes:
                raise SpecificationError(
                    f"This comparison does not vary {name}, and its runs are not named by it: add values of "
                    f"{', '.join(self.axes)}, or start another comparison with --name."
                )
        joined = {
            name: tuple(dict.fromkeys((*values, *axes.get(name, ()))))
            for name, values in self.axes.items()
        }
        return Plan(joined, self.shared)

    def to_dict(self) -> dict[str, Any]:
        """In JSON's own kinds, as a comparison's folder keeps it."""
        axes = {name: list(values) for name, values in self.axes.items()}
        return {"axes": axes, "shared": dict(self.shared)}

    @classmethod
    def load(cls, folder: Path | str) -> Plan:
        """The plan of the comparison in ``folder``; :class:`RunError` where there is none."""
        file = Path(folder) / FILE
        if not file.is_file():
            raise RunError(f"{folder} is not a comparison: it holds no {FILE}.")
        value = read_sealed_json(file)
        try:
            axes = {str(name): tuple(values) for name, values in value["axes"].items()}
            return cls(axes, dict(value["shared"]))
        except (KeyError, TypeError, AttributeError) as error:
            raise RunError(f"{file}: {error} is missing or damaged; restore the file.") from None

    @property
    def stopping(self) -> Stopping:
        """When a search ends, where that is not varied."""
        return self._split({name: values[0] for name, values in self.axes.items()})[1]

    @property
    def unit(self) -> str:
        """The unit of the losses, where the objective is not varied."""
        objective = str(self.shared.get("objective", Specification.objective))
        if "objective" in self.axes or "+" in objective or "*" in objective:
            return "weighted sum"
        return "index points" if objective == Specification.objective else "JS distance, nats"

    def _split(self, cell: Mapping[str, Any]) -> tuple[Specification, Stopping]:
        settings = {**self.shared, **cell}
        ends = {name: settings.pop(name) for name in _ENDS if name in settings}
        if _is_of_texts(self, cell):  # it has no vectors, and is asked in the same way
            settings |= {"optimizer": "random", "options": {}}
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
        return specification, Stopping.for_objective(specification.open_ended, **ends)

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
        name = "seed" if name == "seeds" else name  # as the option is called
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


@dataclass(frozen=True)
class Done:
    """A cell that has just ended: how many are done, of how many, its settings, and why it failed, if so.

    ``evaluations`` and ``loss`` are those of its run, NaN where there is none.
    """

    number: int
    cells: int
    settings: Mapping[str, Any]
    failure: str
    evaluations: int
    loss: float
    reused: bool


def finished(plan: Plan, folder: Path | str) -> int:
    """How many cells are done already."""
    return sum(_is_done(Path(folder) / plan.folder(cell)) for cell in plan.cells())


def _is_of_texts(plan: Plan, cell: Mapping[str, Any]) -> bool:
    return {**plan.shared, **cell}.get("optimizer") == texts.NAME


def _is_done(path: Path) -> bool:
    if (path / texts.FILE).is_file():
        return True
    run = Run(path)
    return run.exists() and not run.trouble and run.status == "done"


def seconds_an_evaluation(plan: Plan) -> float:
    """What an evaluation of the first cell takes on this machine, from a short fit that is thrown away."""
    told: list[tuple[int, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        settings = {**plan.shared, **plan.cells()[0], "budget": PROBE, "target_loss": 0.0}
        settings |= {"patience": None, "optimizer": "random", "options": {}}
        _one_thread()
        fit(
            runs=folder,
            name="probe",
            on_progress=lambda p: told.append((p.evaluations, time.perf_counter())),
            **settings,
        )
    (first, start), (last, end) = told[0], told[-1]
    return (end - start) / max(1, last - first)


def run_plan(
    plan: Plan,
    folder: Path | str,
    *,
    jobs: int = 1,
    on_cell: Callable[[Done], None] = lambda done: None,
) -> Comparison:
    """Run every cell that is not done, ``jobs`` at a time, each on one thread.

    ``on_cell`` is told of every cell that ends. A cell that fails stands in no other one's way. The plan is
    kept in the folder, so that cells can be added to it and a report knows what was compared.

    Raises
    ------
    SpecificationError
        The folder holds a comparison with other shared settings.
    """
    from joblib import Parallel, delayed

    folder = Path(folder)
    _keep(plan, folder)
    cells = plan.cells()
    work = (delayed(_run_cell)(plan, cell, folder) for cell in cells)
    parallel = Parallel(n_jobs=jobs, return_as="generator_unordered")
    failures: dict[str, str] = {}
    with _as_it_was():
        for number, (cell, failure, evaluations, loss, reused) in enumerate(
            parallel(work), start=1
        ):
            if failure:
                failures[plan.folder(cell)] = failure
            on_cell(Done(number, len(cells), cell, failure, evaluations, loss, reused))
    return read_comparison(plan, folder, failures)


def _keep(plan: Plan, folder: Path) -> None:
    """Write the plan into the folder; one that was made with other settings is refused."""
    if (folder / FILE).is_file():
        then = Plan.load(folder)
        changed = [
            f"{name}: {before} then, {after} now"
            for name in sorted({*then.shared, *plan.shared} - {*_ENDS})
            for before, after in [[one.shared.get(name, "the default") for one in (then, plan)]]
            if before != after
        ]
        if list(then.axes) != list(plan.axes):
            changed.append(f"varied: {', '.join(then.axes)} then, {', '.join(plan.axes)} now")
        if changed:
            raise SpecificationError(
                f"The comparison {folder} was made with other settings ({'; '.join(changed)}): name another "
                "with --name."
            )
    with plain_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_sealed_json(folder / FILE, plan.to_dict())


@contextmanager
def _as_it_was() -> Iterator[None]:
    """A single job runs the cells in this process: its threads and engines are afterwards as they were."""
    import torch

    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        forget_engine()


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)  # cells, not threads, share a machine's cores


def _run_cell(
    plan: Plan, cell: Mapping[str, Any], folder: Path
) -> tuple[Mapping[str, Any], str, int, float, bool]:
    _one_thread()
    keep_engine()
    name = plan.folder(cell)
    reused = _is_done(folder / name)
    try:
        if _is_of_texts(plan, cell):
            found = _texts_of(plan, cell, folder / name)
            return cell, "", len(found.texts), found.loss, reused
        run = fit(runs=folder, name=name, **{**plan.shared, **cell})
        result = run.result
    except BlackboxAlignError as error:
        return cell, str(error), 0, math.nan, reused
    except Exception as error:  # a mistake of ours in one cell is no reason to lose the others
        return cell, f"{type(error).__name__}: {error}", 0, math.nan, reused
    told = result.search.evaluations if result.search else 0
    return cell, "", told, result.loss, reused


def _texts_of(plan: Plan, cell: Mapping[str, Any], folder: Path) -> texts.Texts:
    specification, stopping = plan._split(cell)
    settings = {
        k: v
        for k, v in {**plan.shared, **cell}.items()
        if k not in (*_ENDS, "optimizer", "options")
    }
    return texts.kept_texts(
        folder, {**settings, "seed": specification.seed}, stopping.budget, stopping.target_loss
    )


def read_comparison(
    plan: Plan, folder: Path | str, failures: Mapping[str, str] | None = None
) -> Comparison:
    """What the runs of a plan hold so far; reads their journals only."""
    found = tuple(_read_cells(plan, Path(folder), failures or {}))
    stopping = plan.stopping
    return Comparison(found, stopping.target_loss, stopping.budget, unit=plan.unit)


def results_of(plan: Plan, folder: Path | str) -> list[tuple[Mapping[str, Any], Result]]:
    """The settings and the result of every cell that has one."""
    found: list[tuple[Mapping[str, Any], Result]] = []
    for cell in plan.cells():
        with suppress(RunError):
            found.append((cell, Run.load(Path(folder) / plan.folder(cell)).result))
    return found


def _read_cells(plan: Plan, folder: Path, failures: Mapping[str, str]) -> Iterator[Cell]:
    for cell in plan.cells():
        name = plan.folder(cell)
        path = folder / name
        found = Cell(cell, np.empty(0), failures.get(name, ""), str(path))
        if not found.failure:
            try:
                if _is_of_texts(plan, cell):
                    best = np.minimum.accumulate(texts.read_texts(path).losses)
                    yield replace(found, best=best)
                    continue
                run = Run.load(path)
                facts = run.record["facts"]
                found = replace(
                    found,
                    best=_best_so_far(run),
                    rounds=rounds_of(run.entries()),
                    dimension=int(facts.get("dimension", 0)),
                    tokens=int(facts.get("tokens", 0)),
                    placement=str(facts.get("placement", "")),
                )
            except RunError as error:
                found = replace(found, failure=str(error))
        yield found


def _best_so_far(run: Run) -> np.ndarray:
    """(evaluations,) the error of the best prompt after each; inf until one has succeeded."""
    entries = run.entries()
    losses = np.array(
        [np.inf if loss is None else loss for one in entries for loss in one.losses], float
    )
    if all(entry.divergence is None for entry in entries):
        return np.minimum.accumulate(losses)
    errors = run.history()["error"].fillna(np.inf).to_numpy(float)  # without what the language adds
    better = losses < np.concatenate([[np.inf], np.minimum.accumulate(losses)[:-1]])
    best = np.maximum.accumulate(np.where(better, np.arange(len(losses)), 0))
    return np.asarray(errors[best])
