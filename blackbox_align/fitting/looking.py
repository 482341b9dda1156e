"""A run as the report wants it, and the commands that repeat it."""

from __future__ import annotations

import shlex
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from ..errors import UnknownNameError
from ..report import Fitted
from ..results.fit_pictures import fit_pictures
from .specification import Specification, option
from .stopping import Stopping

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .run import Run


def fitted(run: Run) -> Fitted:
    """All that a page says of a run; reads its result and its journal, and asks no model."""
    settings: dict[str, Any] = {**run.specification.to_dict(), **run.record["stopping"]}
    facts = run.record["facts"]
    known = {
        name: facts[name]
        for name in ("model_revision", "survey_sha256", "targets_sha256")
        if name in facts
    }
    return Fitted(
        run.path.name,
        run.result,
        run.history()["loss"].to_numpy(float),
        {
            **settings,
            **known,
            "seconds spent": run.record.get("seconds"),
            "versions": run.result.provenance.versions,
        },
        repeat(run),
        run.status,
    )


def repeat(run: Run) -> tuple[str, str]:
    """The command line and the call that make the run again; what is a default is left out."""
    asked = _asked(run)
    words = ["bbalign", "fit"]
    for name, value in asked.items():
        if name in ("country", "group"):
            words += [part for one in value for part in (option(name), str(one))]
        elif name == "options":
            words += [part for key, v in value.items() for part in ("--option", f"{key}={v}")]
        else:
            words += [option(name)] if value is True else [option(name), str(value)]
    call = {name: value[0] if value == [value[0]] else value for name, value in asked.items()
            if name in ("country", "group")}  # fmt: skip
    arguments = ", ".join(f"{name}={value!r}" for name, value in {**asked, **call}.items())
    return shlex.join(words), f"blackbox_align.fit({arguments})"


def _asked(run: Run) -> dict[str, Any]:
    """The settings and ends of a run that are not the defaults; country and group as lists."""
    settings, ends = run.specification, Stopping(**run.record["stopping"])
    plain = Specification("SAU", optimizer=settings.optimizer)
    asked = {
        one.name: getattr(settings, one.name)
        for one in fields(settings)
        if one.name == "optimizer" or getattr(settings, one.name) != getattr(plain, one.name)
    }
    if settings.country:
        asked["country"] = str(settings.country).split("+")
    if settings.optimizer == Specification.optimizer:
        asked.pop("optimizer")
    if not settings.country:
        asked.pop("country", None)
    usual = Stopping.for_objective(
        settings.open_ended,
        budget=Stopping.budget,
        target_loss=None,
        patience=None,
        seconds=None,
    )
    wanted = {
        name: getattr(ends, name) for name in ("budget", "target_loss", "patience", "seconds")
    }
    return asked | {
        name: value for name, value in wanted.items()
        if value is not None and value != getattr(usual, name)
    }  # fmt: skip


def plot(run: Run, kind: str | None, population: str, ax: Axes | None) -> Axes:
    """One of the pictures of a run; see :meth:`.run.Run.plot`."""
    losses = run.history()["loss"].to_numpy(float)
    result = run.result
    alone = len(result.provenance.populations) == 1
    pictures = fit_pictures(result.of(population), population, losses if alone else None)
    named = {picture.name: picture for picture in pictures}
    if kind is not None and kind not in named:
        raise UnknownNameError("picture of this run", kind, list(named))
    return (pictures[0] if kind is None else named[kind]).plot(ax)
