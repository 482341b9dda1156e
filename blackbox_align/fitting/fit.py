"""The main job: evolve soft prompts until the model's survey answers resemble a country's."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from ..engines import Workers
from ..engines.opening import check_revision
from ..errors import RunError, SpecificationError
from ..objectives import written
from ..optimizers import Capabilities, create
from ..surveys.own_loss import AnswersLoss
from .budget import Budget, Outlay, Price
from .changed import refuse_settings
from .data import load_data
from .frames import target_file
from .job import Job
from .listeners import Listeners, OnOutlay, OnProgress, OnResult, Progress
from .record import Record
from .run import Run
from .settled import as_recorded, recorded_facts
from .specification import Specification, folder
from .stopping import Stopping

if TYPE_CHECKING:
    import pandas as pd

    from ..engines.ray.pool import OnTrouble

__all__ = ["OnOutlay", "OnProgress", "OnResult", "Outlay", "Progress", "fit"]


def fit(
    country: str | Sequence[str] = "",
    *,
    group: str | Sequence[str] = "",
    objective: str | AnswersLoss | Mapping[str | AnswersLoss, float] = "indices",
    survey: str | os.PathLike[str] = "vsm2013",
    targets: str | os.PathLike[str] | pd.DataFrame | None = None,
    constants: str = "anchor",
    readout: str = "expected",
    respondents: int = 50,
    temperature: float = 1.0,
    opinions: str | os.PathLike[str] = "world-opinions",
    held_out: float = 0.5,
    validation: float | None = None,
    model: str | os.PathLike[str] = "respondent-tiny",
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    trust_remote_code: bool = False,
    chat_template: str | os.PathLike[str] = "auto",
    system: str = "",
    optimizer: str = "gauss-newton",
    options: Mapping[str, Any] | None = None,
    tokens: int | None = None,
    placement: str = "auto",
    language: float | None = None,
    subspace: int = 0,
    alpha: float = 1.0,
    init: str = "auto",
    orders: str = "auto",
    seed: int = 0,
    hold_out: str | Sequence[str] = "",
    warm_start: str | os.PathLike[str] | Run | None = None,
    budget: int | str | None = None,
    target_loss: float | None = None,
    patience: int | None = None,
    seconds: float | None = None,
    runs: str | os.PathLike[str] = "runs",
    name: str | None = None,
    workers: Workers | int | None = None,
    compile: str = "auto",
    recite: bool = False,
    on_progress: OnProgress | None = None,
    on_trouble: OnTrouble = lambda sentence: None,
    on_result: OnResult = lambda result: None,
    on_outlay: OnOutlay = lambda outlay: None,
) -> Run:
    """Fit a soft prompt to what a country's people answer; continue where an earlier call stopped.

    Parameters
    ----------
    country : ISO code, name or alias; several in a list, ``"all"`` or a continent share one search
    group : people that the file of opinions declares, by code or name, in the place of a country
    objective : ``indices`` of the survey, ``opinions``, or a weighted sum such as
        ``indices+0.5*opinions``; or a function from answers (P, items, options) to losses (P,) or residuals
        (P, m), see :mod:`..surveys.own_loss`, or several of these in a dictionary with their weights. A run
        keeps a function's name, so that it has to be handed in again
    survey, targets : names of what ships with the package, or files; targets may be a table with a row
        per country (named by its index, or in a column ``country``) and a column per index
    constants : the shift of the indices; see :mod:`..objectives.constants`
    readout, respondents, temperature : see :func:`..surveys.item_means`
    opinions, held_out : an opinion survey's name or file, and the share of its questions that no
        search sees
    validation : share of the opinion questions to fit that only say when to stop; by default a quarter
    model, revision, device, dtype, trust_remote_code, chat_template, system : see
        :func:`..engines.open`
    optimizer, options : a registered name and that algorithm's own options
    tokens, placement : length of the soft prompt, and where it stands: ``first``, ``message`` (inside the
        first message), ``last`` (before the answer); see :class:`.specification.Specification`
    language : the weight of what the prompt does to the model's language; see
        :mod:`..objectives.language`. 0 leaves it out, None is 1 for models that write
    orders : in which options are asked, and answers averaged over them: ``1``, ``reversed``, ``cyclic``,
        ``all``; ``auto`` is ``reversed``, ``cyclic`` for opinions, or ``1`` where the model's card says so
    subspace, alpha, init : see :class:`.specification.Specification`
    seed : the same seed gives the same search
    hold_out : indices that no search sees, by name: the result tells their error apart
    warm_start : an earlier run whose evaluations the search starts from; no model is asked for them
    budget : evaluations at most, or a text such as ``200k-tokens``, ``90s`` or ``5min``, from which they
        are counted once, before the search, and recorded; None is what a minute buys, from 500 to 2,000.
        See :class:`.budget.Budget`
    target_loss, patience, seconds : see :class:`.stopping.Stopping`; None is the objective's own default
    runs, name : the run's directory is ``runs/name``; the name is made from the settings if not
        given
    workers : processes on a Ray cluster that ask the model, or how many; None asks it in this one
    compile : whether a model's layers are compiled; see :func:`..engines.open`
    recite : whether the result says what the model knows by heart, see :mod:`..assessment.recite`
    on_progress : called after every tell
    on_trouble : told, in a sentence, what went wrong and was mended: a worker that was lost, a damaged
        end of a journal, other conditions than those under which the run began
    on_result : given the result of a finished search, before its experts are proved and written
    on_outlay : given, before the search begins, what it will spend at most, see :class:`.budget.Outlay`

    Returns
    -------
    Run
        Done. With the same settings and seed, under the same conditions, it holds the same bits,
        however often it was killed and continued on the way. Under others (threads, CPU, workers,
        versions) its past stays what it was, and the search goes on from there.

    Raises
    ------
    BlackboxAlignError
        A mistake in the settings, or trouble that one can do something about. What was evaluated
        is on disk, and the same call continues.
    """
    frame = target_file(targets) if _is_frame(targets) else None
    stated, function = written(objective)
    specification = Specification(
        country,
        group,
        stated,
        os.fspath(opinions),
        held_out,
        os.fspath(survey),
        targets=frame.name if frame else _path_of(targets),  # type: ignore[arg-type]
        model=os.fspath(model),
        revision=revision,
        dtype=dtype,
        device=device,
        trust_remote_code=trust_remote_code,
        chat_template=os.fspath(chat_template),
        system=system,
        optimizer=optimizer,
        options=options or {},
        tokens=tokens,
        placement=placement,
        language=language,
        subspace=subspace,
        alpha=alpha,
        init=init,
        orders=orders,
        constants=constants,
        readout=readout,
        respondents=respondents,
        temperature=temperature,
        seed=seed,
        validation=validation,
        hold_out=hold_out if isinstance(hold_out, str) else ",".join(hold_out),
        warm_start=_path_of(warm_start),
    )
    where = Workers(int(workers)) if isinstance(workers, (int, np.integer)) else workers
    check_revision(specification.model, revision)
    record = Record(folder(Path(runs), specification.name if name is None else name))
    # Everything that can be wrong without a model is told before anything is made.
    allowed = Budget.parse(budget)
    specification, recorded = _as_begun(specification, record, init == "auto")
    data = load_data(specification, recorded, frame.targets if frame else None, function)
    search = _rehearse(specification, allowed, len(data.populations), where is not None)
    stopping = Stopping.for_objective(
        specification.open_ended,
        validated=bool(data.opinions and data.opinions.validation),
        budget=_known_budget(allowed, record, search),
        target_loss=target_loss,
        patience=patience,
        seconds=seconds,
    )
    earlier = _earlier(specification)
    with record.writing(on_trouble) as writer:
        told = Listeners(on_progress or (lambda progress: None), on_trouble, on_result, on_outlay)
        job = Job(writer, data, stopping, allowed, search, told, recite)
        if _is_done(record, stopping):
            job.refuse_another()
        else:
            job.run(where, earlier, frame, compile)
    return Run(record.path)


def _path_of(place: str | os.PathLike[str] | Run | None) -> str | None:
    if isinstance(place, Run):
        return str(place.path)
    return None if place is None else os.fspath(place)


def _is_frame(targets: str | os.PathLike[str] | pd.DataFrame | None) -> TypeGuard[pd.DataFrame]:
    return targets is not None and not isinstance(targets, (str, os.PathLike))


def _as_begun(
    asked: Specification, record: Record, any_start: bool
) -> tuple[Specification, dict[str, Any] | None]:
    """The settings and the facts of a run that goes on, whose settings have to be those asked for.

    ``any_start``: the search starts where the run began, whatever is usual today.
    """
    if not record.exists():
        return asked, None
    recorded = recorded_facts(record)
    then = as_recorded(record.specification, recorded)
    if any_start:
        asked = replace(asked, init=then.init)
    refuse_settings(then, asked, record.path)
    return asked, recorded


def _rehearse(
    settings: Specification, allowed: Budget, countries: int, workers: bool
) -> Capabilities:
    """Make the optimizer once, so that a slip in its name or options is told at once."""
    rng = np.random.default_rng(0)
    targets = np.zeros((countries, 1)) if countries > 1 else None
    budget = allowed.fixed or Stopping.budget
    made = create(settings.optimizer, 100, rng, budget=budget, targets=targets, **settings.options)
    can = made.capabilities
    if can.uses_gradient and settings.function:
        raise SpecificationError(
            f"{settings.optimizer!r} follows gradients, and {settings.function!r} is a function, which has "
            "none here: choose 'gauss-newton', which needs none."
        )
    if can.uses_gradient and (settings.readout != "expected" or workers):
        raise SpecificationError(
            f"{settings.optimizer!r} follows gradients, which only expected answers have, asked in this "
            "process: leave out --readout and --workers, or choose 'gauss-newton', which needs none."
        )
    if can.uses_budget and allowed.unit == "seconds":
        raise SpecificationError(
            f"{settings.optimizer!r} shapes its search by its budget, which no clock may choose: give "
            "--budget in evaluations or in tokens."
        )
    return can


def _known_budget(allowed: Budget, record: Record, search: Capabilities) -> int:
    """Evaluations at most; where that follows from a price that nobody knows yet, the usual number."""
    if allowed.fixed is not None or not record.exists() or "price" not in record.facts:
        return allowed.fixed or Stopping.budget
    return allowed.evaluations(Price(**record.facts["price"]), search)


def _earlier(settings: Specification) -> Record | None:
    if settings.warm_start is None:
        return None
    earlier = Record(settings.warm_start)
    _ = earlier.specification  # that there is one is told at once
    return earlier


def _is_done(record: Record, stopping: Stopping) -> bool:
    """Whether there is nothing to do: the same call again, or a budget below what is spent."""
    if not record.exists() or record.head["status"] != "done":
        return False
    with suppress(RunError):
        past = record.past(vectors=True)
        record.refuse_damage(past)
        run = Run(record.path)
        whole = all(run.expert_of(code).is_dir() for code in run.result.provenance.populations)
        return whole and (record.stopping == stopping or past.told >= stopping.budget)
    return False
