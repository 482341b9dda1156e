"""How results look: the tables and notes that several commands print."""

from __future__ import annotations

import json
import sys
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from ..fitting import Run


def stdout() -> Console:
    """For results: what a pipe should get."""
    return _console(stderr=False)


def stderr() -> Console:
    """For progress, notes and errors."""
    return _console(stderr=True)


def _console(stderr: bool) -> Console:
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    # A pipe has no width: a table must not be folded for a screen that is not there.
    return Console(stderr=stderr, width=None if stream.isatty() else 160, highlight=False)


def print_note(sentence: str) -> None:
    """Something that happened on the way, beside the results."""
    stderr().print(sentence, markup=False, soft_wrap=True)


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], right: Container[int] = ()
) -> None:
    """A plain table; ``right`` holds the positions of the columns that are set flush right."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number in right else "left")
    for row in rows:
        table.add_row(*row)
    stdout().print(table)


def print_result(run: Run) -> None:
    """The final table of a fit, with everything that has to stand beside it."""
    result = run.result
    if "countries" in result:
        _print_countries(result, str(run.path))
    else:
        print_country(result, str(run.expert_of(result["country"])))


def _print_countries(result: Mapping[str, Any], path: str) -> None:
    """One row per country; one that was not reached says which index is farthest off."""
    from rich.markup import escape

    results, enough = result["countries"], result["target_loss"]
    rows = []
    for one in results:
        errors = one["errors"]
        worst = max(one["table"], key=lambda row: abs(row["error"] or 0.0))
        reached = one["reached_after"]
        rows.append(
            (
                f"{one['country']}  {one['country_name']}",
                *(points(errors[c]) for c in ("unprompted", "country_in_text", "fitted")),
                f"{reached:,}" if reached else "-",
                "" if reached else f"{worst['index']} {points(worst['error'], sign=True)}",
            )
        )
    means = (
        points(sum(one["errors"][c] for one in results) / len(results))
        for c in ("unprompted", "country_in_text", "fitted")
    )
    rows.append(("[bold]mean[/]", *means, f"{result['reached']} of {len(results)}", ""))
    screen = stdout()
    screen.print(f"[bold]Mean absolute error[/] in {escape(results[0]['targets']['title'])}\n")
    columns = (
        "country",
        "un-\nprompted",
        "country\nin text",
        "fitted",
        f"{enough:g} reached\nafter",
    )
    print_table((*columns, "farthest\nindex"), rows, right=range(1, 5))
    screen.print()
    screen.print(
        f"{result['evaluations']:,} evaluations in all by {results[0]['optimizer']}, "
        f"seed {results[0]['seed']}; stopped because {result['reason']}."
    )
    _print_notes(results[0])
    screen.print(
        f"Experts: {escape(path)}/experts; a country's table: bbalign show {path} --country"
    )


def print_country(result: Mapping[str, Any], expert: str) -> None:
    """The table of one country, index by index."""
    from rich.markup import escape

    targets = result["targets"]
    screen = stdout()
    screen.print(f"[bold]{result['country_name']}[/] in {escape(targets['title'])}\n")
    rows = [
        (
            f"{row['index']}  {row['title']}",
            *(points(row[c]) for c in ("target", "unprompted", "country_in_text", "fitted")),
            points(row["error"], sign=True),
        )
        for row in result["table"]
    ]
    errors = result["errors"]
    means = (points(errors[c]) for c in ("unprompted", "country_in_text", "fitted"))
    rows.append(("[bold]mean absolute error[/]", "", *means, ""))
    columns = ("index", "target", "un-\nprompted", "country\nin text", "fitted", "error")
    print_table(columns, rows, right=range(1, 6))
    screen.print()
    screen.print(
        f"{result['evaluations']:,} evaluations by {result['optimizer']}, seed {result['seed']}; "
        f"stopped because {result['reason']}."
    )
    if result["missing"]:
        screen.print(
            f"{targets['name']} has no figure for {', '.join(result['missing'])}: left out of the error."
        )
    if result["estimate"]:
        screen.print(f"The source calls its figures for {result['country_name']} an estimate.")
    _print_notes(result)
    screen.print(f"Expert: {escape(expert)}")


def _print_notes(result: Mapping[str, Any]) -> None:
    from rich.markup import escape

    constants = result["constants"]
    values = ", ".join(f"{name} {value:+.1f}" for name, value in constants["values"].items())
    stdout().print(f"Constants: {escape(constants['policy'])} ({values}).")
    if result["disclaimer"]:
        stdout().print(f"[yellow]{escape(result['disclaimer'])}[/]")


def points(value: float | None, sign: bool = False) -> str:
    """A figure in index points, or a dash where there is none."""
    if value is None:
        return "-"
    rounded = round(value, 1) + 0.0  # no -0.0
    return f"{rounded:+.1f}" if sign else f"{rounded:.1f}"
