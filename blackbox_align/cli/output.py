"""How results look: the tables and notes that several commands print."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from ..fitting import Run
    from ..results import Result


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


def result_of(run: Run) -> Result:
    """The result of a run, in whichever format it was written."""
    from ..results import Result

    found = run.result
    if isinstance(found, Result):
        return found
    return Result.from_dict(found, str(run.path / "result.json"))


def print_result(run: Run) -> None:
    """The final table of a fit, with everything that has to stand beside it."""
    result = result_of(run)
    codes = list(result.provenance.populations)
    if len(codes) > 1:
        _print_populations(result, str(run.path))
    else:
        print_population(result, codes[0], str(run.expert_of(codes[0])))


def _print_populations(result: Result, path: str) -> None:
    """A table per instrument, opinions first, with one row per population."""
    from rich.markup import escape

    from ..results.tables import indices_of, opinions_of

    screen = stdout()
    if opinions_of(result):
        _print_distances(result)
    if indices_of(result):
        _print_errors(result)
    _print_search(result, "evaluations in all")
    _print_notes(result)
    screen.print(
        f"Experts: {escape(path)}/experts; a country's table: bbalign show {escape(path)} --country"
    )


def _print_errors(result: Result) -> None:
    """One row per population; one that was not reached says which index is farthest off."""
    from rich.markup import escape

    from ..results.tables import errors, index_rows, indices_of

    asked, search = indices_of(result), result.search
    assert asked is not None and search is not None
    names = result.provenance.populations
    found = {code: errors(result, code) for code in names}
    rows = []
    for code, name in names.items():
        reached = search.reached.get(code)
        known = [row for row in index_rows(result, code) if not math.isnan(row.error)]
        worst = max(known, key=lambda row: abs(row.error))
        rows.append(
            (
                f"{code}  {escape(name)}",
                *map(points, found[code]),
                f"{reached:,}" if reached else "-",
                "" if reached else f"{escape(worst.name)} {points(worst.error, sign=True)}",
            )
        )
    means = (points(sum(column) / len(found)) for column in zip(*found.values(), strict=True))
    count = sum(bool(search.reached.get(code)) for code in names)
    rows.append(("[bold]mean[/]", *means, f"{count} of {len(names)}", ""))
    screen = stdout()
    screen.print(f"[bold]Mean absolute error[/] in {escape(asked.targets_title)}\n")
    target = "" if search.target_loss is None else f"{search.target_loss:g} "
    columns = (
        "country",
        "un-\nprompted",
        "country\nin text",
        "fitted",
        f"{target}reached\nafter",
    )
    print_table((*columns, "farthest\nindex"), rows, right=range(1, 5))
    screen.print()


def _print_distances(result: Result) -> None:
    """One row per population: held-out distances, and what fitting changed in them."""
    from rich.markup import escape

    from ..results.names import COUNTRY_IN_TEXT, NONE
    from ..results.tables import distances, fitted_minus, interval, opinions_of, questions

    asked, screen = opinions_of(result), stdout()
    assert asked is not None
    screen.print(f"[bold]JS distance (nats) on held-out questions[/] of {escape(asked.title)}\n")
    rows = [
        (
            f"{code}  {escape(name)}",
            str(questions(result, code, "held-out")),
            *(f"{value:.3f}" for value in distances(result, code)),
            *(
                interval(fitted_minus(result, code, condition), sign=True)
                for condition in (NONE, COUNTRY_IN_TEXT)
            ),
        )
        for code, name in result.provenance.populations.items()
    ]
    columns = ("country", "n", "un-\nprompted", "country\nin text", "fitted")
    minus_columns = ("fitted minus\nun-prompted", "fitted minus\ncountry in text")
    print_table((*columns, *minus_columns), rows, right=range(1, 7))
    screen.print(
        "\nBrackets: 95 % interval over questions; where it holds 0, no difference is shown.\n"
    )


def print_population(result: Result, population: str, expert: str) -> None:
    """The tables of one population, opinions first."""
    from rich.markup import escape

    from ..results.tables import indices_of, opinions_of

    result = result.of(population)
    screen = stdout()
    if opinions_of(result):
        _print_opinions(result, population)
    if indices_of(result):
        _print_indices(result, population)
    _print_search(result, "evaluations")
    fronts = result.search.fronts if result.search else {}
    if fronts.get(population):
        screen.print(_front(fronts[population]))
    _print_notes(result)
    screen.print(f"Expert: {escape(expert)}")


def _print_opinions(result: Result, population: str) -> None:
    """Held-out distances first, then those on the questions that the fit worked on."""
    from rich.markup import escape

    from ..results.tables import opinion_rows, opinions_of, questions, verdicts

    asked, screen = opinions_of(result), stdout()
    assert asked is not None
    name = result.provenance.populations[population]
    screen.print(f"[bold]{escape(name)}[/] in {escape(asked.title)}\n")
    columns = (
        "JS distance (nats)",
        f"{questions(result, population, 'held-out')} questions\nheld out",
        "fitted minus it,\nheld out",
        f"{questions(result, population, 'fit')} questions\nto fit",
    )
    print_table(columns, opinion_rows(result, population), right=range(1, 4))
    screen.print()
    for sentence in verdicts(result, population):
        screen.print(sentence)
    screen.print()


def _print_indices(result: Result, population: str) -> None:
    """Index by index."""
    from rich.markup import escape

    from ..results.tables import errors, index_rows, indices_of

    asked, screen = indices_of(result), stdout()
    assert asked is not None
    name = result.provenance.populations[population]
    screen.print(f"[bold]{escape(name)}[/] in {escape(asked.targets_title)}\n")
    rows = [
        (
            f"{escape(row.name)}  {escape(row.title)}",
            *map(points, (row.target, *row.points)),
            points(row.error, sign=True),
        )
        for row in index_rows(result, population)
    ]
    means = map(points, errors(result, population))
    rows.append(("[bold]mean absolute error[/]", "", *means, ""))
    columns = ("index", "target", "un-\nprompted", "country\nin text", "fitted", "error")
    print_table(columns, rows, right=range(1, 6))
    screen.print()


def _front(front: Sequence[Mapping[str, float]]) -> str:
    ends = " to ".join(
        f"({points(row['vsm13'])}, {row['opinions']:.3f})" for row in (front[0], front[-1])
    )
    return (
        f"{len(front)} evaluations on the Pareto front of index error and JS distance on the fitted "
        f"questions, from {ends}; --json lists them."
    )


def _print_search(result: Result, counted: str) -> None:
    search = result.search
    if search is not None:
        stdout().print(
            f"{search.evaluations:,} {counted} by {search.optimizer}, seed {search.seed}; "
            f"stopped because {search.reason}.",
            markup=False,
        )


def _print_notes(result: Result) -> None:
    from rich.markup import escape

    from ..results.tables import constants_line, indices_of

    asked = indices_of(result)
    if asked is not None:
        stdout().print(f"Constants: {constants_line(asked)}.", markup=False)
    disclaimer = result.provenance.disclaimer
    for note in result.notes:
        if note != disclaimer:
            stdout().print(note, markup=False)
    if disclaimer:
        stdout().print(f"[yellow]{escape(disclaimer)}[/]")


def points(value: float, sign: bool = False) -> str:
    """A figure in index points, or a dash where there is none."""
    from ..results.tables import points

    return points(value, sign)
