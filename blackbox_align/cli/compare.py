"""``bbalign compare``: optimizers, models, settings and seeds on the same countries."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import SpecificationError
from .options import AsJson, check_most
from .screen import print_json, print_note, print_table, stderr, stdout

if TYPE_CHECKING:
    from ..fitting.plan import Plan
    from ..results.comparison import Comparison


def compare_command(
    file: Annotated[
        Path | None,
        typer.Argument(help="A plan as a YAML file, to keep with a paper.", show_default=False),
    ] = None,
    country: Annotated[
        list[str] | None,
        typer.Option(help="Fitted on its own in every cell; repeat for several."),
    ] = None,
    optimizer: Annotated[
        list[str] | None, typer.Option(help="Repeat for several; see `bbalign optimizers`.")
    ] = None,
    seeds: Annotated[str, typer.Option(help="One seed, or a range such as 0..9.")] = "0..2",
    vary: Annotated[
        list[str] | None,
        typer.Option(help="NAME=VALUE,VALUE: any other setting of a fit; one value is shared."),
    ] = None,
    budget: Annotated[int, typer.Option(help="Evaluations of one search at most.")] = 1000,
    target_loss: Annotated[
        float, typer.Option(help="A search ends here; the running times are those to it.")
    ] = 3.0,
    name: Annotated[
        str, typer.Option(help="Folder of the comparison in the runs folder.")
    ] = "comparison",
    runs: Annotated[Path, typer.Option(help="Folder of the runs.")] = Path("runs"),
    jobs: Annotated[int, typer.Option(help="Searches at a time, one thread each.")] = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and end.")] = False,
    csv: Annotated[
        Path | None, typer.Option(help="Write a row per search here.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare optimizers, models or settings by the evaluations they need.

    Every cell is an ordinary run: a killed comparison goes on where it stopped, and the same command
    with more seeds or optimizers adds to it.
    """
    from ..fitting.plan import read_plan, run_plan

    check_most(10_000, jobs=jobs)
    if jobs < 1:
        raise SpecificationError(f"There must be 1 search at a time or more; not {jobs}.")
    if file is not None:
        if country or optimizer or vary:
            raise SpecificationError(
                "A plan comes from a file or from --country, --optimizer and --vary; not from both."
            )
        plan = read_plan(file)
    else:
        plan = _plan(country, optimizer, seeds, vary or [], budget, target_loss)
    cells = len(plan.cells())
    axes = " x ".join(f"{len(values)} {axis}" for axis, values in plan.axes.items())
    print_note(
        f"{cells:,} searches ({axes}), at most {cells * plan.stopping.budget:,} evaluations in all."
    )
    if dry_run:
        return
    with stderr().status("") as status:

        def on_cell(done: int, all_of_them: int, failure: str) -> None:
            status.update(f"{done:,} of {all_of_them:,} searches done")
            if failure:
                print_note(f"Failed: {failure}")

        comparison = run_plan(plan, runs / name, jobs=jobs, on_cell=on_cell)
    if csv is not None:
        comparison.searches().to_csv(csv, index=False, lineterminator="\n")
    if as_json:
        table = comparison.table().reset_index().astype(object)
        print_json(
            {
                "target": comparison.target,
                "budget": comparison.budget,
                "methods": table.replace({float("inf"): None}).to_dict("records"),
            }
        )
    else:
        _print(comparison)


def _plan(
    country: list[str] | None,
    optimizer: list[str] | None,
    seeds: str,
    vary: list[str],
    budget: int,
    target_loss: float,
) -> Plan:
    from ..fitting.plan import Plan, expand

    seed = expand(seeds) or ((int(seeds),) if seeds.strip().isdecimal() else None)
    if not seed:
        raise SpecificationError(f"Seeds are a number or a range such as 0..9; not {seeds!r}.")
    axes: dict[str, tuple[Any, ...]] = {"optimizer": tuple(optimizer or ("gauss-newton", "random"))}
    shared: dict[str, Any] = {"budget": budget, "target_loss": target_loss}
    for pair in vary:
        setting, equals, text = pair.partition("=")
        if not equals or not text:
            raise SpecificationError(f"What is varied is NAME=VALUE,VALUE; not {pair!r}.")
        values = tuple(_number(value) for value in text.split(","))
        where = setting.strip().replace("-", "_")
        if len(values) > 1:
            axes[where] = values
        else:
            shared[where] = values[0]
    return Plan({**axes, "country": _codes(country), "seed": seed}, shared)


def _codes(country: list[str] | None) -> tuple[str, ...]:
    """Each country on its own; of a group those with complete figures."""
    from ..populations import load_targets
    from ..populations.groups import expand, parse_countries

    if not country:
        raise SpecificationError("A comparison needs a country: --country SAU, or several of them.")
    found = expand(parse_countries(country), load_targets().complete())
    return tuple(one.code for one in found)


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _print(comparison: Comparison) -> None:
    screen = stdout()
    rows = [
        (
            str(method),
            f"{row.reached:.0f} of {row.runs:.0f}",
            _evaluations(row.ert, comparison),
            f"{_evaluations(row.ert_low, comparison)} to {_evaluations(row.ert_high, comparison)}",
            f"{row.median_loss:.2f}",
        )
        for method, row in comparison.table().iterrows()
    ]
    head = ["method", "reached", "ERT", "95 % interval", "median loss"]
    print_table(head, rows, right={1, 2, 3, 4})
    screen.print(
        f"\nERT: expected evaluations until a loss of {comparison.target:g}; the interval is over seeds, "
        "within countries.",
    )
    failed = [cell for cell in comparison.cells if cell.failure]
    if failed:
        screen.print(f"{len(failed)} searches failed and are in no figure.")
    if len(comparison.methods) > 1 and comparison.finished:
        _print_tests(comparison)


def _print_tests(comparison: Comparison) -> None:
    methods, ranking = comparison.ranking()
    screen = stdout()
    order = sorted(range(len(methods)), key=lambda n: ranking.ranks[n])
    ranks = ", ".join(f"{methods[n]} {ranking.ranks[n]:.2f}" for n in order)
    screen.print(
        f"Mean ranks over {ranking.problems} problems (country and seed): {ranks}; ranks nearer than "
        f"{ranking.critical_difference:.2f} are not told apart (Nemenyi, 5 %).",
    )
    _, pairs = comparison.pairs()
    for pair in pairs:
        screen.print(
            f"{methods[pair.a]} needs fewer than {methods[pair.b]} in {pair.superiority:.0%} of problems "
            f"(Wilcoxon with Holm: p = {pair.p:.2g}).",
        )
    countries = {cell.settings.get("country") for cell in comparison.finished}
    screen.print(
        f"These are {len(countries)} countries on one set of models: they say nothing of others.",
    )


def _evaluations(value: float, comparison: Comparison) -> str:
    return f"{value:,.0f}" if value < float("inf") else f"> {comparison.budget:,}"
