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
    """A table per part of the objective, opinions first, with one row per country."""
    from rich.markup import escape

    results, screen = result["countries"], stdout()
    if "opinions" in results[0]:
        _print_opinions_of_countries(results)
    if "errors" in results[0]:
        _print_errors_of_countries(results, result["target_loss"], result["reached"])
    screen.print(
        f"{result['evaluations']:,} evaluations in all by {results[0]['optimizer']}, "
        f"seed {results[0]['seed']}; stopped because {result['reason']}."
    )
    _print_notes(results[0])
    screen.print(
        f"Experts: {escape(path)}/experts; a country's table: bbalign show {path} --country"
    )


def _print_errors_of_countries(
    results: Sequence[Mapping[str, Any]], enough: float, reached_by: int
) -> None:
    """One row per country; one that was not reached says which index is farthest off."""
    from rich.markup import escape

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
    rows.append(("[bold]mean[/]", *means, f"{reached_by} of {len(results)}", ""))
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


def _print_opinions_of_countries(results: Sequence[Mapping[str, Any]]) -> None:
    """One row per country: held-out distances, and what fitting changed in them."""
    from rich.markup import escape

    from ..experts.card import interval

    screen = stdout()
    screen.print(
        f"[bold]JS distance (nats) on held-out questions[/] of "
        f"{escape(results[0]['opinions']['survey']['title'])}\n"
    )
    rows = []
    for one in results:
        held_out = one["opinions"]["held_out"]
        distances, minus = held_out["distances"], held_out["fitted_minus"]
        rows.append(
            (
                f"{one['country']}  {one['country_name']}",
                str(held_out["questions"]),
                *(
                    f"{distances[c]['value']:.3f}"
                    for c in ("unprompted", "country_in_text", "fitted")
                ),
                *(interval(minus[c], sign=True) for c in ("unprompted", "country_in_text")),
            )
        )
    columns = ("country", "n", "un-\nprompted", "country\nin text", "fitted")
    minus_columns = ("fitted minus\nun-prompted", "fitted minus\ncountry in text")
    print_table((*columns, *minus_columns), rows, right=range(1, 7))
    screen.print(
        "\nBrackets: 95 % interval over questions; where it holds 0, no difference is shown.\n"
    )


def print_country(result: Mapping[str, Any], expert: str) -> None:
    """The tables of one country, opinions first."""
    from rich.markup import escape

    screen = stdout()
    if "opinions" in result:
        _print_opinions(result)
    if "table" in result:
        _print_indices(result)
    screen.print(
        f"{result['evaluations']:,} evaluations by {result['optimizer']}, seed {result['seed']}; "
        f"stopped because {result['reason']}."
    )
    if "pareto_front" in result:
        screen.print(_front(result["pareto_front"]))
    if result.get("missing"):
        screen.print(
            f"{result['targets']['name']} has no figure for {', '.join(result['missing'])}: "
            "left out of the error."
        )
    if result.get("estimate"):
        screen.print(f"The source calls its figures for {result['country_name']} an estimate.")
    _print_notes(result)
    screen.print(f"Expert: {escape(expert)}")


def _print_opinions(result: Mapping[str, Any]) -> None:
    """Held-out distances first, then those on the questions that the fit worked on."""
    from rich.markup import escape

    from ..experts.card import opinion_rows, verdicts

    opinions, screen = result["opinions"], stdout()
    screen.print(f"[bold]{result['country_name']}[/] in {escape(opinions['survey']['title'])}\n")
    columns = (
        "JS distance (nats)",
        f"{opinions['held_out']['questions']} questions\nheld out",
        "fitted minus it,\nheld out",
        f"{opinions['fit']['questions']} questions\nto fit",
    )
    print_table(columns, opinion_rows(opinions), right=range(1, 4))
    screen.print()
    for sentence in verdicts(opinions):
        screen.print(sentence)
    screen.print()


def _print_indices(result: Mapping[str, Any]) -> None:
    """Index by index."""
    from rich.markup import escape

    screen = stdout()
    screen.print(f"[bold]{result['country_name']}[/] in {escape(result['targets']['title'])}\n")
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


def _front(front: Sequence[Mapping[str, Any]]) -> str:
    ends = " to ".join(
        f"({points(row['vsm13'])}, {row['opinions']:.3f})" for row in (front[0], front[-1])
    )
    return (
        f"{len(front)} evaluations on the Pareto front of index error and JS distance on the fitted "
        f"questions, from {ends}; --json lists them."
    )


def _print_notes(result: Mapping[str, Any]) -> None:
    from rich.markup import escape

    if "constants" in result:
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
