"""How results look: the tables and notes that several commands print."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


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


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], right: str = "") -> None:
    """A plain table; ``right`` names the columns that are set flush right, by their position."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if str(number) in right else "left")
    for row in rows:
        table.add_row(*row)
    stdout().print(table)


def print_result(result: Mapping[str, Any], path: str) -> None:
    """The final table of a fit, with everything that has to stand beside it."""
    from rich.markup import escape

    targets, constants = result["targets"], result["constants"]
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
    print_table(columns, rows, right="12345")
    screen.print()
    screen.print(
        f"{result['evaluations']:,} evaluations by {result['optimizer']}, seed {result['seed']}; "
        f"stopped because {result['reason']}."
    )
    values = ", ".join(f"{name} {value:+.1f}" for name, value in constants["values"].items())
    screen.print(f"Constants: {escape(constants['policy'])} ({values}).")
    if result["missing"]:
        screen.print(
            f"{targets['name']} has no figure for {', '.join(result['missing'])}: left out of the error."
        )
    if result["estimate"]:
        screen.print(f"The source calls its figures for {result['country_name']} an estimate.")
    if result["disclaimer"]:
        screen.print(f"[yellow]{escape(result['disclaimer'])}[/]")
    screen.print(f"Expert: {escape(path)}/expert")


def points(value: float | None, sign: bool = False) -> str:
    """A figure in index points, or a dash where there is none."""
    if value is None:
        return "-"
    rounded = round(value, 1) + 0.0  # no -0.0
    return f"{rounded:+.1f}" if sign else f"{rounded:.1f}"
