"""How the results of a fit look: the tables of `bbalign fit` and `bbalign show`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .screen import command, print_hint, print_table, say

if TYPE_CHECKING:
    from ..fitting import Run


def print_result(run: Run) -> None:
    """The final table of a fit, with everything that has to stand beside it."""
    result = run.result
    if "countries" in result:
        _print_countries(result, str(run.path))
    else:
        print_country(result, str(run.expert_of(result["country"])))


def _print_countries(result: Mapping[str, Any], path: str) -> None:
    """A table per part of the objective, opinions first, with one row per country."""
    results = result["countries"]
    if "opinions" in results[0]:
        _print_opinions_of_countries(results)
    if "errors" in results[0]:
        _print_errors_of_countries(results, result["target_loss"], result["reached"])
    say(
        f"{result['evaluations']:,} evaluations in all by {results[0]['optimizer']}, "
        f"seed {results[0]['seed']}; stopped because {result['reason']}."
    )
    _print_notes(results[0])
    first = results[0]["country"]
    print_hint(f"Experts: {path}/experts")
    print_hint(f"A country's table: {command('show', path, '--country', first)}")


def _print_errors_of_countries(
    results: Sequence[Mapping[str, Any]], enough: float, reached_by: int
) -> None:
    """One row per country; one that was not reached says which index is farthest off."""
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
    rows.append(("mean", *means, f"{reached_by} of {len(results)}", ""))
    say(f"Mean absolute error in {results[0]['targets']['title']}\n", style="bold")
    columns = (
        "country",
        "un-\nprompted",
        "country\nin text",
        "fitted",
        f"{enough:g} reached\nafter",
    )
    print_table((*columns, "farthest\nindex"), rows, right=range(1, 5), last_is_total=True)
    say()


def _print_opinions_of_countries(results: Sequence[Mapping[str, Any]]) -> None:
    """One row per country: held-out distances, and what fitting changed in them."""
    from ..experts.card import interval

    say(
        f"JS distance (nats) on held-out questions of {results[0]['opinions']['survey']['title']}\n",
        style="bold",
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
    say("\nBrackets: 95 % interval over questions; where it holds 0, no difference is shown.\n")


def print_country(result: Mapping[str, Any], expert: str) -> None:
    """The tables of one country, opinions first."""
    if "opinions" in result:
        _print_opinions(result)
    if "table" in result:
        _print_indices(result)
    say(
        f"{result['evaluations']:,} evaluations by {result['optimizer']}, seed {result['seed']}; "
        f"stopped because {result['reason']}."
    )
    if "pareto_front" in result:
        say(_front(result["pareto_front"]))
    if result.get("missing"):
        say(
            f"{result['targets']['name']} has no figure for {', '.join(result['missing'])}: "
            "left out of the error."
        )
    if result.get("estimate"):
        say(f"The source calls its figures for {result['country_name']} an estimate.")
    _print_notes(result)
    print_hint(f"Expert: {expert}")


def _print_opinions(result: Mapping[str, Any]) -> None:
    """Held-out distances first, then those on the questions that the fit worked on."""
    from ..experts.card import opinion_rows, verdicts

    opinions = result["opinions"]
    say(f"{result['country_name']} in {opinions['survey']['title']}\n", style="bold")
    columns = (
        "JS distance (nats)",
        f"{opinions['held_out']['questions']} questions\nheld out",
        "fitted minus it,\nheld out",
        f"{opinions['fit']['questions']} questions\nto fit",
    )
    print_table(columns, opinion_rows(opinions), right=range(1, 4))
    say()
    for sentence in verdicts(opinions):
        say(sentence)
    say()


def _print_indices(result: Mapping[str, Any]) -> None:
    """Index by index."""
    say(f"{result['country_name']} in {result['targets']['title']}\n", style="bold")
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
    rows.append(("mean absolute error", "", *means, ""))
    columns = ("index", "target", "un-\nprompted", "country\nin text", "fitted", "error")
    print_table(columns, rows, right=range(1, 6), last_is_total=True)
    say()


def _front(front: Sequence[Mapping[str, Any]]) -> str:
    ends = " to ".join(
        f"({points(row.get('indices', row.get('vsm13')))}, {row['opinions']:.3f})"
        for row in (front[0], front[-1])
    )
    return (
        f"{len(front)} evaluations on the Pareto front of index error and JS distance on the fitted "
        f"questions, from {ends}; --json lists them."
    )


def _print_notes(result: Mapping[str, Any]) -> None:
    if "constants" in result:
        constants = result["constants"]
        values = ", ".join(f"{name} {value:+.1f}" for name, value in constants["values"].items())
        say(f"Constants: {constants['policy']} ({values}).")
    if result["disclaimer"]:
        say(result["disclaimer"], style="yellow")


def points(value: float | None, sign: bool = False) -> str:
    """A figure in index points, or a dash where there is none."""
    if value is None:
        return "-"
    rounded = round(value, 1) + 0.0  # no -0.0
    return f"{rounded:+.1f}" if sign else f"{rounded:.1f}"
