"""``bbalign fit``: the main job."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ..errors import SpecificationError
from .fit_options import (
    Alpha,
    Budget,
    Compile,
    Constants,
    Country,
    GpusPerWorker,
    Group,
    HeldOut,
    HoldOut,
    Init,
    Language,
    NumberOfWorkers,
    Objective,
    Opinions,
    OptimizerName,
    OptimizerOptions,
    Orders,
    Pareto,
    Patience,
    Placement,
    RayAddress,
    Readout,
    Recite,
    Respondents,
    RunName,
    Runs,
    Seconds,
    Seed,
    Seeds,
    Subspace,
    SurveyName,
    TargetLoss,
    Targets,
    Temperature,
    Tokens,
    Validation,
    WarmStart,
)
from .options import (
    AsJson,
    ChatTemplate,
    Device,
    Dtype,
    ModelName,
    Revision,
    System,
    TrustRemoteCode,
    check_finite,
    check_most,
    find_run,
    optimizer_options,
)
from .output import by_gradients, print_experts, print_pareto, print_result, print_tables
from .progress import fit_progress
from .screen import command, print_aside, print_hint, print_json, print_note, print_remark
from .several import PAIRS, print_held_out, print_spread, variations

if TYPE_CHECKING:
    from ..engines import Workers
    from ..fitting import Outlay, Progress, Run
    from ..results import Result

log = logging.getLogger("blackbox_align")


def fit_command(
    country: Country = None,
    group: Group = None,
    model: ModelName = "respondent-tiny",
    revision: Revision = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    trust_remote_code: TrustRemoteCode = False,
    chat_template: ChatTemplate = "auto",
    system: System = "",
    objective: Objective = "indices",
    opinions: Opinions = "world-opinions",
    held_out: HeldOut = 0.5,
    validation: Validation = None,
    survey: SurveyName = "vsm2013",
    targets: Targets = None,
    constants: Constants = "anchor",
    readout: Readout = "expected",
    respondents: Respondents = 50,
    temperature: Temperature = 1.0,
    optimizer: OptimizerName = "gauss-newton",
    option: OptimizerOptions = None,
    tokens: Tokens = None,
    placement: Placement = "auto",
    language: Language = None,
    subspace: Subspace = 0,
    alpha: Alpha = 1.0,
    init: Init = "auto",
    orders: Orders = "auto",
    seed: Seed = 0,
    seeds: Seeds = None,
    hold_out: HoldOut = "",
    warm_start: WarmStart = None,
    budget: Budget = None,
    target_loss: TargetLoss = None,
    patience: Patience = None,
    seconds: Seconds = None,
    runs: Runs = Path("runs"),
    name: RunName = None,
    workers: NumberOfWorkers = None,
    ray_address: RayAddress = None,
    gpus_per_worker: GpusPerWorker = None,
    compile: Compile = "auto",
    pareto: Pareto = False,
    recite: Recite = False,
    as_json: AsJson = False,
) -> None:
    """Fit a soft prompt until the model answers the survey like a country.

    The same command again continues an interrupted run, or shows a finished one.
    """
    settings = (
        locals().copy()
    )  # the options are the settings of `fit`, but for those of the command alone
    for other in _OF_THE_COMMAND:
        del settings[other]
    settings |= {"country": country or "", "group": group or ""}
    _check({**settings, "seed": seed, "gpus_per_worker": gpus_per_worker})
    settings["options"] = optimizer_options(optimizer, option or [])
    settings["warm_start"] = None if warm_start is None else str(find_run(warm_start, runs))
    settings["workers"] = _workers(workers, ray_address, gpus_per_worker)
    varied = variations(seeds, seed, hold_out, survey)
    if len(varied) > 1 and name is not None:
        raise SpecificationError("--name is the name of one run; --seeds and pairs make several.")
    watched = _Watched(as_json)
    try:
        done = watched.fit(settings, varied)
    except KeyboardInterrupt:
        print_note(f"Interrupted; nothing is lost. To continue: {command(*sys.argv[1:])}")
        raise typer.Exit(130) from None
    if len(done) > 1:
        _report_several(done, hold_out, as_json)
    else:
        watched.report(done[0], pareto)


_OF_THE_COMMAND = (
    "option", "seed", "seeds", "hold_out", "workers", "ray_address", "gpus_per_worker", "pareto", "as_json",
)  # fmt: skip
_FINITE = (
    "held_out", "validation", "temperature", "alpha", "language", "target_loss", "seconds",
    "gpus_per_worker",
)  # fmt: skip
_MOST = {
    "tokens": 10_000, "respondents": 10_000_000, "patience": 10_000_000,
    "subspace": 100_000_000, "seed": 2**63 - 1,
}  # fmt: skip


def _check(settings: dict[str, Any]) -> None:
    """Refuse what no machine could do, before anything is loaded."""
    check_finite(**{name: settings[name] for name in _FINITE})
    for name, most in _MOST.items():
        check_most(most, **{name: settings[name]})


@dataclass
class _Watched:
    """Fits with a live line, and the table of a single one as soon as it stands."""

    as_json: bool
    last: Progress | None = None
    shown: bool = False

    def fit(self, settings: dict[str, Any], varied: Sequence[dict[str, Any]]) -> list[Run]:
        """The fits in their variations, one after another."""
        from ..fitting import Progress, fit

        with ExitStack() as live:
            draw = live.enter_context(fit_progress([*settings["country"], *settings["group"]]))

            def on_result(result: Result) -> None:
                live.close()  # the bar
                if not self.as_json:
                    print_tables(result)
                    print_aside("The table stands. What was fitted is proved and written now.")
                    sys.stdout.flush()
                    self.shown = True

            def on_progress(progress: Progress) -> None:
                self.last = progress
                draw(progress)
                log.debug("%s", progress)

            def on_outlay(outlay: Outlay) -> None:
                print_remark(outlay.describe())
                draw(Progress(outlay.made, outlay.evaluations, None, outlay.made, 0.0))

            told: dict[str, Any] = {
                "on_progress": on_progress,
                "on_trouble": print_note,
                "on_outlay": on_outlay,
            }
            if len(varied) == 1:  # of several the last table is the one to look at
                told["on_result"] = on_result
            return [fit(**settings, **told, **one) for one in varied]

    def report(self, run: Run, pareto: bool) -> None:
        """What is to be seen of one run, the table included where it was not shown before."""
        last = self.last
        if last is None:
            print_note(f"The run {run.path} was done already; nothing was evaluated.")
        elif last.replayed:
            print_note(f"Continued after {last.replayed:,} evaluations.")
        if self.as_json:
            print_json({**run.result.to_dict(), "run": str(run.path), "status": run.status})
            return
        if self.shown:
            print_experts(run)
        else:
            print_result(run)
        if pareto:
            print_pareto(run.result)
        for sentence in by_gradients(run) if last is not None else ():
            print_aside(sentence)


def _report_several(done: list[Run], hold_out: str, as_json: bool) -> None:
    results = [run.result for run in done]
    if as_json:
        print_json([{**run.result.to_dict(), "run": str(run.path)} for run in done])
        return
    if hold_out == PAIRS:
        print_held_out(results)
    if len({run.specification.seed for run in done}) > 1:
        print_spread(results)
    print_hint(f"Runs: {', '.join(str(run.path) for run in done)}")


def _workers(count: str | None, address: str | None, gpus: float | None) -> Workers | None:
    if count is None and address is None and gpus is None:
        return None
    from ..engines import Workers

    if count in (None, "auto"):
        return Workers(None, address, gpus)
    if not count.isdecimal():
        raise SpecificationError(f"--workers is a number or 'auto'; not {count!r}.")
    return Workers(int(count), address, gpus)
