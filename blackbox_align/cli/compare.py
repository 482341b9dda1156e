"""``bbalign compare``: optimizers, models, settings and seeds on the same countries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import SpecificationError
from .comparison import json_of, print_comparison, print_multiverse
from .options import AsJson, check_most, named_values, panel, read_seeds
from .screen import command, duration, print_hint, print_json, print_note, stderr

if TYPE_CHECKING:
    from ..fitting.plan import Done, Plan

_what, _where, _left = map(panel, ("What is varied", "How it runs", "What it leaves"))


def compare_command(
    file: Annotated[
        Path | None,
        typer.Argument(help="A plan as a YAML file, to keep with a paper.", show_default=False),
    ] = None,
    country: Annotated[
        list[str] | None,
        _what(help="Fitted on its own in every cell; several, repeated or as SAU,USA."),
    ] = None,
    optimizer: Annotated[
        list[str] | None, _what(help="Several, repeated or with commas; see `bbalign optimizers`.")
    ] = None,
    model: Annotated[list[str] | None, _what(help="One, or several to compare.")] = None,
    placement: Annotated[list[str] | None, _what(help="first, message, last.")] = None,
    tokens: Annotated[list[str] | None, _what(help="Lengths of the soft prompt.")] = None,
    seeds: Annotated[
        str | None, _what(help="A seed, several as 0,3,5, or a range such as 0..9. Default: 0..2.")
    ] = None,
    vary: Annotated[
        list[str] | None,
        _what(
            help="NAME=VALUE,VALUE: any other setting of a fit; one value is shared by all cells."
        ),
    ] = None,
    multiverse: Annotated[
        bool,
        _what(
            "--multiverse",
            help="Vary how it is asked (readout, orders, seed; wordings by --vary survey=A,B) and say "
            "in which share of configurations the gain holds.",
        ),
    ] = False,
    budget: Annotated[int, typer.Option(help="Evaluations of one search at most.")] = 1000,
    target_loss: Annotated[
        float | None,
        typer.Option(
            help="A search ends here; the running times are those to it. Default: 3 index points; where "
            "opinions are fitted, or with --multiverse, where a fit ends."
        ),
    ] = None,
    name: Annotated[
        str, _where(help="Folder of the comparison in the runs folder.")
    ] = "comparison",
    add: Annotated[
        bool, _where("--add", help="Add the values given to those that --name has.")
    ] = False,
    runs: Annotated[Path, _where(help="Folder of the runs.")] = Path("runs"),
    jobs: Annotated[int, _where(help="Searches at a time, one thread each.")] = 1,
    dry_run: Annotated[bool, _where("--dry-run", help="Show the plan and end.")] = False,
    csv: Annotated[Path | None, _left(help="Write a row per search here.")] = None,
    latex: Annotated[Path | None, _left(help="Write the table as LaTeX (booktabs) here.")] = None,
    inspector: Annotated[
        Path | None, _left(help="Write every improvement here as a CSV that IOHinspector reads.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare optimizers, models or settings by the evaluations they need.

    Every cell is an ordinary run: a killed comparison goes on where it stopped, and --add puts more
    optimizers, countries or seeds to one that is there. `bbalign report` makes a page of it.
    """
    from ..fitting.plan import read_plan, run_plan
    from ..results.comparison_files import improvements, latex_table

    check_most(10_000, jobs=jobs)
    if jobs < 1:
        raise SpecificationError(f"There must be 1 search at a time or more; not {jobs}.")
    axes = _axes(country, optimizer, model, placement, tokens, seeds)
    varied, shared = _varied(vary or [])
    if file is not None:
        if axes or vary or add:
            raise SpecificationError(
                "A plan comes from a file or from options such as --country and --optimizer; not from both."
            )
        plan = read_plan(file)
    elif add:
        plan = _added(runs / name, {**axes, **varied}, shared)
    else:
        usual = {
            "optimizer": ("gauss-newton", "random"),
            "seed": (0, 1, 2),
            **(_ways_of_asking(shared) if multiverse else {}),
        }
        if target_loss is None and not multiverse and not _fits_opinions(shared):
            target_loss = 3.0
        ends = {"budget": budget} | ({} if target_loss is None else {"target_loss": target_loss})
        plan = _plan({**usual, **axes, **varied}, {**shared, **ends})
    _say_plan(plan, runs / name, jobs)
    if dry_run:
        return
    with _watching(plan) as on_cell:
        comparison = run_plan(plan, runs / name, jobs=jobs, on_cell=on_cell)
    if csv is not None:
        comparison.searches().to_csv(csv, index=False, lineterminator="\n")
    if latex is not None:
        latex.write_text(latex_table(comparison), encoding="utf-8")
    if inspector is not None:
        improvements(comparison).to_csv(inspector, index=False, lineterminator="\n")
    if as_json:
        print_json(json_of(comparison))
    else:
        print_comparison(comparison)
        print_multiverse(plan, runs / name)
        print_hint(f"As a page: {command('report', runs / name)}")


def _axes(
    country: list[str] | None,
    optimizer: list[str] | None,
    model: list[str] | None,
    placement: list[str] | None,
    tokens: list[str] | None,
    seeds: str | None,
) -> dict[str, tuple[Any, ...]]:
    """What was given, in the order in which methods are named."""
    given = {"optimizer": optimizer, "model": model, "placement": placement, "tokens": tokens}
    axes = {
        setting: tuple(_value(part) for one in values for part in one.split(","))
        for setting, values in given.items()
        if values
    }
    if country:
        axes["country"] = _codes(country)
    if seeds is not None:
        axes["seed"] = read_seeds(seeds)
    return axes


def _ways_of_asking(shared: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    """What a multiverse varies, unless it is told otherwise; opinions have one readout, their shares."""
    readouts = {} if _fits_opinions(shared) else {"readout": ("expected", "greedy")}
    return {"optimizer": ("gauss-newton",), **readouts, "orders": ("1", "reversed", "cyclic")}


def _fits_opinions(shared: dict[str, Any]) -> bool:
    return "opinions" in str(shared.get("objective", ""))


def _varied(vary: list[str]) -> tuple[dict[str, tuple[Any, ...]], dict[str, Any]]:
    axes: dict[str, tuple[Any, ...]] = {}
    shared: dict[str, Any] = {}
    for setting, text in named_values(vary, "What is varied is NAME=VALUE,VALUE"):
        values = tuple(_value(value) for value in text.split(","))
        where = setting.replace("-", "_")
        if len(values) > 1:
            axes[where] = values
        else:
            shared[where] = values[0]
    return axes, shared


def _plan(axes: dict[str, tuple[Any, ...]], shared: dict[str, Any]) -> Plan:
    """Settings of one value are shared; optimizer, country and seed always stand in the table."""
    from ..fitting.plan import Plan

    if "country" not in axes:
        raise SpecificationError("A comparison needs a country: --country SAU, or several of them.")
    always = ("optimizer", "country", "seed")
    single = {k: values[0] for k, values in axes.items() if len(values) == 1 and k not in always}
    varied = {k: values for k, values in axes.items() if k not in single}
    last = {k: varied.pop(k) for k in ("country", "seed")}
    return Plan({**varied, **last}, {**shared, **single})


def _added(folder: Path, axes: dict[str, tuple[Any, ...]], shared: dict[str, Any]) -> Plan:
    from ..fitting.plan import Plan

    if shared or not axes:
        raise SpecificationError(
            "--add takes more values of what is varied, such as --optimizer cma or --seeds 3..9."
        )
    return Plan.load(folder).adding(axes)


def _codes(country: list[str]) -> tuple[str, ...]:
    """Each country on its own; of a group those with complete figures."""
    from ..populations import load_targets
    from ..populations.groups import expand, parse_countries

    found = expand(parse_countries(country), load_targets().complete())
    return tuple(one.code for one in found)


def _value(text: str) -> int | float | str:
    text = text.strip()
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _say_plan(plan: Plan, folder: Path, jobs: int) -> None:
    """Cells, evaluations, what is there already and, of many evaluations, how long they will take."""
    from ..fitting.plan import finished, seconds_an_evaluation

    cells, there = len(plan.cells()), finished(plan, folder)
    axes = " x ".join(f"{len(values)} {axis}" for axis, values in plan.axes.items())
    most = (cells - there) * plan.stopping.budget
    reused = f", {there:,} done already" if there else ""
    print_note(f"{cells:,} searches ({axes}){reused}; at most {most:,} evaluations to come.")
    if most >= _WORTH_A_PROBE:
        seconds = seconds_an_evaluation(plan) * most / jobs
        print_note(
            f"At most about {duration(seconds)} at the speed of a short probe, {jobs} at a time; searches "
            "that reach the target end earlier."
        )


_WORTH_A_PROBE = 5000


@contextmanager
def _watching(plan: Plan) -> Iterator[Callable[[Done], None]]:
    """A live table in a terminal: method by method how many searches are done, and how they ended."""
    import numpy as np
    from rich.live import Live
    from rich.table import Table

    from ..results.comparison import Cell

    def method(settings: Any) -> str:
        return Cell(settings, np.empty(0)).method

    losses: dict[str, list[float]] = {method(cell): [] for cell in plan.cells()}
    each = len(plan.cells()) // max(1, len(losses))
    target, failed = plan.stopping.target_loss, [0]

    def table(number: int, cells: int) -> Table:
        shown = Table(box=None, pad_edge=False, caption_justify="left",
                      caption=f"{number:,} of {cells:,} searches, {failed[0]} failed")  # fmt: skip
        for column in ("method", "done", f"reached {target:g}", "median loss"):
            shown.add_column(column, justify="left" if column == "method" else "right")
        for name, found in losses.items():
            middle = f"{sorted(found)[len(found) // 2]:.2f}" if found else "-"
            hits = sum(loss <= target for loss in found)
            shown.add_row(name, f"{len(found)} of {each}", str(hits) if found else "-", middle)
        return shown

    screen = stderr()
    with Live(table(0, len(plan.cells())), console=screen, refresh_per_second=4, transient=True,
              auto_refresh=screen.is_terminal) as live:  # fmt: skip

        def on_cell(done: Done) -> None:
            if done.failure:
                failed[0] += 1
                print_note(f"Failed: {plan.folder(done.settings)}: {done.failure}")
            else:
                losses[method(done.settings)].append(done.loss)
            if screen.is_terminal:
                live.update(table(done.number, done.cells))

        yield on_cell
