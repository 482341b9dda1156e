"""``bbalign fit``: the main job."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import SpecificationError
from . import fit_options, options
from .options import check_finite, check_most, find_run, optimizer_options
from .progress import fit_progress, going_on
from .screen import print_aside, print_hint, print_json, print_note, print_remark
from .several import PAIRS, print_held_out, print_spread, variations

if TYPE_CHECKING:
    from ..engines import Workers
    from ..fitting import Outlay, Progress, Run
    from ..results import Result

log = logging.getLogger("blackbox_align")


def fit_command(
    country: fit_options.Country = None,
    group: fit_options.Group = None,
    model: options.ModelName = "respondent-tiny",
    revision: options.Revision = None,
    device: options.Device = "auto",
    dtype: options.Dtype = "auto",
    trust_remote_code: options.TrustRemoteCode = False,
    chat_template: options.ChatTemplate = "auto",
    system: options.System = "",
    objective: fit_options.Objective = "indices",
    opinions: fit_options.Opinions = "world-opinions",
    held_out: fit_options.HeldOut = 0.5,
    validation: fit_options.Validation = None,
    survey: fit_options.SurveyName = "vsm2013",
    targets: fit_options.Targets = None,
    constants: fit_options.Constants = "anchor",
    readout: fit_options.Readout = "expected",
    respondents: fit_options.Respondents = 50,
    temperature: fit_options.Temperature = 1.0,
    optimizer: fit_options.OptimizerName = "gauss-newton",
    option: fit_options.OptimizerOptions = None,
    tokens: fit_options.Tokens = None,
    placement: fit_options.Placement = "auto",
    language: fit_options.Language = None,
    subspace: fit_options.Subspace = 0,
    alpha: fit_options.Alpha = 1.0,
    init: fit_options.Init = "auto",
    orders: fit_options.Orders = "auto",
    seed: fit_options.Seed = 0,
    seeds: fit_options.Seeds = None,
    hold_out: fit_options.HoldOut = "",
    warm_start: fit_options.WarmStart = None,
    budget: fit_options.Budget = None,
    target_loss: fit_options.TargetLoss = None,
    patience: fit_options.Patience = None,
    seconds: fit_options.Seconds = None,
    runs: fit_options.Runs = Path("runs"),
    name: fit_options.RunName = None,
    workers: fit_options.NumberOfWorkers = None,
    ray_address: fit_options.RayAddress = None,
    gpus_per_worker: fit_options.GpusPerWorker = None,
    compile: fit_options.Compile = "auto",
    pareto: fit_options.Pareto = False,
    recite: fit_options.Recite = False,
    as_json: options.AsJson = False,
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
    with going_on("nothing is lost"):
        done = watched.fit(settings, varied)
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
                    from .output import print_tables

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
        from .output import by_gradients, print_experts, print_pareto, print_result

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
