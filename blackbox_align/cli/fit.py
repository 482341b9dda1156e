"""``bbalign fit``: the main job."""

from __future__ import annotations

import logging
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import SpecificationError
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
from .screen import command, print_aside, print_hint, print_json, print_note
from .several import PAIRS, print_held_out, print_spread, variations

if TYPE_CHECKING:
    from ..engines import Workers
    from ..fitting import Progress, Run
    from ..results import Result

log = logging.getLogger("blackbox_align")

_SEARCH, _SURVEY, _END, _RUN, _WHERE = (
    "How it is searched", "What is compared", "When it ends", "Where it is kept", "Where it runs"
)  # fmt: skip


def fit_command(
    country: Annotated[
        list[str] | None,
        typer.Option(
            help="Code, name or alias; several (repeated, or SAU,USA) share one search. "
            "Also a group: all, a continent, or cultural-palette.",
            show_default=False,
        ),
    ] = None,
    group: Annotated[
        list[str] | None,
        typer.Option(
            help="People that the file of --opinions declares, in the place of a country.",
            show_default=False,
        ),
    ] = None,
    model: ModelName = "respondent-tiny",
    revision: Revision = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    trust_remote_code: TrustRemoteCode = False,
    chat_template: ChatTemplate = "auto",
    system: System = "",
    objective: Annotated[
        str,
        typer.Option(
            help="What is made small: indices is the mean distance of the survey's indices from the "
            "published ones, in points of a scale of about 0 to 100; opinions is the distance of "
            "the answer shares from people's; or a sum such as indices+0.5*opinions.",
            rich_help_panel=_SURVEY,
        ),
    ] = "indices",
    opinions: Annotated[
        str,
        typer.Option(help="An opinion survey's name, or a file of yours.", rich_help_panel=_SURVEY),
    ] = "world-opinions",
    held_out: Annotated[
        float,
        typer.Option(
            help="Share of the opinion questions that no search sees.", rich_help_panel=_SURVEY
        ),
    ] = 0.5,
    validation: Annotated[
        float | None,
        typer.Option(
            help="Share of the opinion questions to fit that only say when to stop. Default: a quarter.",
            show_default=False,
            rich_help_panel=_SURVEY,
        ),
    ] = None,
    survey: Annotated[
        str, typer.Option(help="A survey's name, or a YAML file of yours.", rich_help_panel=_SURVEY)
    ] = "vsm2013",
    targets: Annotated[
        str | None,
        typer.Option(
            help="A target set's name, or a CSV file of yours. Default: tool-2023-05.",
            show_default=False,
            rich_help_panel=_SURVEY,
        ),
    ] = None,
    constants: Annotated[
        str,
        typer.Option(
            help="An index is known up to a shift, the same for all countries. anchor: the model "
            "as it is gets the mean of all targets; anchor:COUNTRY: that country's figures; "
            "zero: no shift; given:FILE: yours.",
            rich_help_panel=_SURVEY,
        ),
    ] = "anchor",
    readout: Annotated[
        str,
        typer.Option(help="Answers as expected, greedy or sampled.", rich_help_panel=_SURVEY),
    ] = "expected",
    respondents: Annotated[
        int, typer.Option(help="Answers drawn per item, if sampled.", rich_help_panel=_SURVEY)
    ] = 50,
    temperature: Annotated[
        float, typer.Option(help="Temperature of the draws, if sampled.", rich_help_panel=_SURVEY)
    ] = 1.0,
    optimizer: Annotated[
        str, typer.Option(help="See `bbalign optimizers`.", rich_help_panel=_SEARCH)
    ] = "gauss-newton",
    option: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=VALUE, an option of the optimizer; repeat for more.", rich_help_panel=_SEARCH
        ),
    ] = None,
    tokens: Annotated[
        int, typer.Option(help="Length of the soft prompt.", rich_help_panel=_SEARCH)
    ] = 5,
    placement: Annotated[
        str,
        typer.Option(
            help="Where the soft prompt stands: first, as PEFT has it; message, inside the first message; "
            "or last, for questionnaires alone. auto is message for models with a chat template, else "
            "first.",
            rich_help_panel=_SEARCH,
        ),
    ] = "auto",
    language: Annotated[
        float | None,
        typer.Option(
            help="Weight of what the prompt does to the model's language: 1 adds an index point for "
            "each nat a token that its next words move; 0 leaves it out. Default: 1 for models that "
            "write; 0 with the prompt last.",
            show_default=False,
            rich_help_panel=_SEARCH,
        ),
    ] = None,
    subspace: Annotated[
        int,
        typer.Option(help="Dimension of the random subspace; 0 is all.", rich_help_panel=_SEARCH),
    ] = 0,
    alpha: Annotated[
        float,
        typer.Option(
            help="How far a step of size 1 moves the prompt's vectors, in standard deviations of the "
            "model's own words; larger is bolder.",
            rich_help_panel=_SEARCH,
        ),
    ] = 1.0,
    init: Annotated[
        str,
        typer.Option(
            help="Start: zeros, vocabulary or text:TEXT. auto is vocabulary: words drawn at random.",
            rich_help_panel=_SEARCH,
        ),
    ] = "auto",
    orders: Annotated[
        str,
        typer.Option(
            help="Orders of the options that are asked and averaged over: 1, reversed (both ways), "
            "cyclic or all. auto is reversed, or what the model's card says.",
            rich_help_panel=_SURVEY,
        ),
    ] = "auto",
    seed: Annotated[int, typer.Option(help="Same seed, same result.", rich_help_panel=_SEARCH)] = 0,
    seeds: Annotated[
        str | None,
        typer.Option(
            help="One fit per seed, such as 0..4, and their spread.",
            show_default=False,
            rich_help_panel=_SEARCH,
        ),
    ] = None,
    hold_out: Annotated[
        str,
        typer.Option(
            help="Indices that no search sees, such as LTO,IVR; pairs is every two of them in turn.",
            rich_help_panel=_SURVEY,
        ),
    ] = "",
    warm_start: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="A run to start from, by name or folder: its evaluations count.",
            rich_help_panel=_SEARCH,
        ),
    ] = None,
    budget: Annotated[
        int, typer.Option(help="Evaluations of one candidate at most.", rich_help_panel=_END)
    ] = 2000,
    target_loss: Annotated[
        float | None,
        typer.Option(
            help="Stop at this loss. Default: 0.5 index points; 0 with opinions.",
            show_default=False,
            rich_help_panel=_END,
        ),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            help="Stop after so many evaluations without gain. With opinions: 60 without 5 %.",
            show_default=False,
            rich_help_panel=_END,
        ),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(help="Stop after so much time.", rich_help_panel=_END)
    ] = None,
    runs: Annotated[Path, typer.Option(help="Folder of the runs.", rich_help_panel=_RUN)] = Path(
        "runs"
    ),
    name: Annotated[
        str | None,
        typer.Option(
            help="Name of this run; made from its settings if not given.", rich_help_panel=_RUN
        ),
    ] = None,
    workers: Annotated[
        str | None,
        typer.Option(
            help="Processes that ask the model, by Ray: a number, or auto. Default: this one.",
            show_default=False,
            rich_help_panel=_WHERE,
        ),
    ] = None,
    ray_address: Annotated[
        str | None,
        typer.Option(
            help="A running Ray cluster: auto or HOST:PORT.",
            show_default=False,
            rich_help_panel=_WHERE,
        ),
    ] = None,
    gpus_per_worker: Annotated[
        float | None,
        typer.Option(
            help="A share of one, such as 0.5, or several. Default: one, where there are any.",
            show_default=False,
            rich_help_panel=_WHERE,
        ),
    ] = None,
    compile: Annotated[
        str,
        typer.Option(
            help="auto compiles a model's layers on a GPU, once a size of a pass; never; or always.",
            rich_help_panel=_WHERE,
        ),
    ] = "auto",
    pareto: Annotated[
        bool,
        typer.Option(
            "--pareto",
            help="Print the evaluations that none betters in all parts of the loss, the language too.",
        ),
    ] = False,
    recite: Annotated[
        bool,
        typer.Option(
            "--recite",
            help="Say in result and card what the model knows by heart of what it is fitted to.",
            rich_help_panel=_SURVEY,
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Fit a soft prompt until the model answers the survey like a country.

    The same command again continues an interrupted run, or shows a finished one.
    """
    check_finite(
        held_out=held_out,
        validation=validation,
        temperature=temperature,
        alpha=alpha,
        language=language,
        target_loss=target_loss,
        seconds=seconds,
        gpus_per_worker=gpus_per_worker,
    )
    check_most(10_000, tokens=tokens)
    check_most(10_000_000, respondents=respondents, budget=budget, patience=patience)
    check_most(100_000_000, subspace=subspace)
    check_most(2**63 - 1, seed=seed)
    chosen = optimizer_options(optimizer, option or [])
    if warm_start is not None:
        warm_start = str(find_run(warm_start, runs))
    varied = variations(seeds, seed, hold_out, survey)
    if len(varied) > 1 and name is not None:
        raise SpecificationError("--name is the name of one run; --seeds and pairs make several.")
    try:
        from ..fitting import fit

        done: list[Run] = []
        last: Progress | None = None
        shown = False
        with ExitStack() as live:
            draw = live.enter_context(fit_progress([*(country or []), *(group or [])]))

            def on_result(result: Result) -> None:
                nonlocal shown
                live.close()  # the bar
                if not as_json:
                    print_tables(result)
                    print_aside("The table stands. What was fitted is proved and written now.")
                    sys.stdout.flush()
                    shown = True

            def on_progress(progress: Progress) -> None:
                nonlocal last
                last = progress
                draw(progress)
                log.debug("%s", progress)

            settings: dict[str, Any] = dict(
                country=country or "",
                group=group or "",
                runs=runs,
                name=name,
                budget=budget,
                target_loss=target_loss,
                patience=patience,
                seconds=seconds,
                workers=_workers(workers, ray_address, gpus_per_worker),
                compile=compile,
                on_progress=on_progress,
                on_trouble=print_note,
                recite=recite,
                objective=objective,
                opinions=opinions,
                held_out=held_out,
                validation=validation,
                survey=survey,
                targets=targets,
                model=model,
                revision=revision,
                dtype=dtype,
                device=device,
                trust_remote_code=trust_remote_code,
                chat_template=chat_template,
                system=system,
                optimizer=optimizer,
                options=chosen,
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
                warm_start=warm_start,
            )
            if len(varied) == 1:  # of several the last table is the one to look at
                settings["on_result"] = on_result
            for one in varied:
                done.append(run := fit(**settings, **one))
    except KeyboardInterrupt:
        print_note(f"Interrupted; nothing is lost. To continue: {command(*sys.argv[1:])}")
        raise typer.Exit(130) from None
    if len(done) > 1:
        _report_several(done, hold_out, as_json)
        return
    if last is None:
        print_note(f"The run {run.path} was done already; nothing was evaluated.")
    elif last.replayed:
        print_note(f"Continued after {last.replayed:,} evaluations.")
    if as_json:
        print_json({**run.result.to_dict(), "run": str(run.path), "status": run.status})
        return
    if shown:
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
