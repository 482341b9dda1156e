"""How results look: the tables and notes that several commands print.

It is imported where something is printed: a command's help waits for no arrays.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..results.language import describe_language, describe_lines
from ..results.names import COUNTRY_IN_TEXT, NONE, title
from ..results.tables import (
    ERROR,
    MEASURES,
    constants_line,
    distances,
    errors,
    fitted_minus,
    index_rows,
    indices_of,
    interval,
    measure_rows,
    opinion_rows,
    opinions_of,
    own_of,
    own_rows,
    points,
    questions,
    verdicts,
)
from .screen import command, print_hint, print_table, say

if TYPE_CHECKING:
    from ..fitting import Run
    from ..results import Asked, Result, Split


def print_result(run: Run) -> None:
    """The final table of a fit, with everything that has to stand beside it."""
    print_tables(run.result)
    print_experts(run)


def print_tables(result: Result) -> None:
    """What a fit came to, which stands before its experts are proved."""
    codes = list(result.provenance.populations)
    if len(codes) > 1:
        _print_populations(result)
    else:
        print_population(result, codes[0])


def by_gradients(run: Run) -> list[str]:
    """What the gradient reference would cost, where it could have been used."""
    asked, record = run.specification, run.record
    here = (record.get("conditions") or [{}])[-1]
    alone = len(run.result.provenance.populations) == 1 and here.get("workers") is None
    if asked.optimizer == "adam" or asked.function or asked.readout != "expected" or not alone:
        return []
    if not here.get("device"):  # no model that could be differentiated
        return []
    each = float(record["seconds"]) / max(1, int(record.get("evaluations") or 1))
    return [
        "This model's gradients are at hand: --optimizer adam takes about three times an evaluation a "
        f"step, {3 * each:.2g} s here at most, and tens of steps rather than hundreds of evaluations."
    ]


def print_experts(run: Run) -> None:
    """Where the experts of a fit are, and what they are not for."""
    codes, path = list(run.result.provenance.populations), str(run.path)
    facts = run.record.get("facts") or {}
    if facts.get("placement") == "last":
        said = "The prompt stands right before an answer: it is for questionnaires."
        if "slope" not in facts:  # else its usual place was tried, and moves nothing
            said += " One for texts as well: --placement message"
            follows = run.specification.optimizer == "adam"
            said += "." if follows else ", or --optimizer adam where gradients are at hand."
        print_hint(said)
    if len(codes) == 1:
        print_hint(f"Expert: {run.expert_of(codes[0])}")
        return
    print_hint(f"Experts: {path}/experts")
    print_hint(f"A country's table: {command('show', path, '--country', codes[0])}")


def _print_populations(result: Result) -> None:
    """A table per instrument, opinions first, with one row per population."""
    if opinions := opinions_of(result):
        _print_distances(result, opinions)
    if indices := indices_of(result):
        _print_errors(result, indices)
    if result.search:
        say(result.search.describe("evaluations in all"))
    _print_notes(result)


def _print_errors(result: Result, asked: Asked) -> None:
    """One row per population; one that was not reached says which index is farthest off."""
    search = result.search
    assert search is not None
    names = result.provenance.populations
    found = {code: errors(result, code) for code in names}
    rows = []
    for code, name in names.items():
        reached = search.reached.get(code)
        known = [row for row in index_rows(result, code) if not math.isnan(row.error)]
        worst = max(known, key=lambda row: abs(row.error))
        rows.append(
            (
                f"{code}  {name}",
                *map(points, found[code]),
                f"{reached:,}" if reached else "-",
                "" if reached else f"{worst.name} {points(worst.error, sign=True)}",
            )
        )
    means = (points(sum(column) / len(found)) for column in zip(*found.values(), strict=True))
    count = sum(bool(search.reached.get(code)) for code in names)
    rows.append(("mean", *means, f"{count} of {len(names)}", ""))
    say(f"Mean absolute error in {asked.targets_title}\n", style="bold")
    target = "" if search.target_loss is None else f"{search.target_loss:g} "
    columns = (
        "country",
        "un-\nprompted",
        "country\nin text",
        "fitted",
        f"{target}reached\nafter",
    )
    print_table((*columns, "farthest\nindex"), rows, right=range(1, 5), last_is_total=True)
    say()


def _print_distances(result: Result, asked: Asked) -> None:
    """One row per population: held-out distances, and what fitting changed in them."""
    say(f"JS distance (nats) on held-out questions of {asked.title}\n", style="bold")
    rows = [
        (
            f"{code}  {name}",
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
    say("\nBrackets: 95 % interval over questions; where it holds 0, no difference is shown.\n")


def print_population(result: Result, population: str, expert: str = "") -> None:
    """The tables of one population, opinions first, and where its expert is."""
    result = result.of(population)
    if opinions := opinions_of(result):
        _print_opinions(result, opinions, population)
    if indices := indices_of(result):
        _print_indices(result, indices, population)
    if own := own_of(result):
        name = result.provenance.populations[population]
        say(f"{name}: {own.metrics[0].title}\n", style="bold")
        print_table(("", "loss"), own_rows(result, population), right=(1,))
        say()
    if result.search:
        say(result.search.describe())
    _print_language(result, population)
    fronts = result.search.fronts if result.search else {}
    if fronts.get(population):
        say(_front(fronts[population]))
    _print_notes(result)
    if expert:
        print_hint(f"Expert: {expert}")


def _print_opinions(result: Result, asked: Asked, population: str) -> None:
    """Held-out distances first, then those on the questions that the fit worked on."""
    held_out = questions(result, population, "held-out")
    name = result.provenance.populations[population]
    say(f"{name} in {asked.title}\n", style="bold")
    columns = (
        "JS distance (nats)",
        f"{held_out} questions\nheld out",
        "fitted minus it,\nheld out",
        f"{questions(result, population, 'fit')} to\nfit",
    )
    print_table(columns, opinion_rows(result, population), right=range(1, 4))
    say()
    print_measures(result, population, "held-out", f"{held_out} questions\nheld out")
    say()
    for sentence in verdicts(result, population):
        say(sentence)
    say()


def print_measures(result: Result, population: str, split: Split, what: str) -> None:
    """Other measures than the distance, by condition."""
    heads = [head for head, _ in MEASURES.values()]
    rows = measure_rows(result, population, split)
    print_table((what, *heads, "worth in\npeople"), rows, right=range(1, 6))


def _print_indices(result: Result, asked: Asked, population: str) -> None:
    """Index by index."""
    name = result.provenance.populations[population]
    say(f"{name} in {asked.targets_title}\n", style="bold")
    rows = [
        (
            f"{row.name}  {row.title}",
            *map(points, (row.target, *row.points)),
            points(row.error, sign=True),
        )
        for row in index_rows(result, population)
    ]
    means = map(points, errors(result, population))
    held = f"\nheld out: {', '.join(asked.held_out)}" if asked.held_out else ""
    rows.append(("mean absolute error", "", *means, ""))
    columns = (f"index{held}", "target", "un-\nprompted", "country\nin text", "fitted", "error")
    print_table(columns, rows, right=range(1, 6), last_is_total=True)
    say()
    if asked.held_out:
        found = result.select(population=population, metric=ERROR, split="held-out")
        said = ", ".join(f"{title(f.condition)} {points(f.value)}" for f in found)
        say(f"Mean absolute error on {', '.join(asked.held_out)}, which no search saw: {said}.\n")


_PARTS = {
    "indices": ("index error", 1),
    "vsm13": ("index error", 1),
    "opinions": ("JS distance on the fitted questions", 3),
    "language": ("nats a token that the language moves", 2),
}


def _front(front: Sequence[Mapping[str, float]]) -> str:
    parts = _parts(front)
    ends = " to ".join(
        "(" + ", ".join(f"{row[name]:.{places}f}" for name, (_, places) in parts.items()) + ")"
        for row in (front[0], front[-1])
    )
    titles = " and ".join(title for title, _ in parts.values())
    return (
        f"{len(front)} evaluations on the Pareto front of {titles}, from {ends}; --json lists them."
    )


def _parts(front: Sequence[Mapping[str, float]]) -> dict[str, tuple[str, int]]:
    """Title and decimals of the parts of a loss; a function is called by its name."""
    names = [name for name in front[0] if name != "evaluation"]
    return {name: _PARTS.get(name, (name.partition(":")[2], 3)) for name in names}


def print_pareto(result: Result) -> None:
    """The front of every population, from the best fit on."""
    fronts = result.search.fronts if result.search else {}
    if not fronts:
        say("The loss has one part, so there is no front; --language weighs another.")
    for code, front in fronts.items():
        parts = _parts(front)
        rows = [
            (
                f"{row['evaluation']:,.0f}",
                *(f"{row[n]:.{places}f}" for n, (_, places) in parts.items()),
            )
            for row in sorted(front, key=lambda row: row[next(iter(parts))])
        ]
        say(f"Pareto front of {code}\n", style="bold")
        print_table(("evaluation", *(title for title, _ in parts.values())), rows, right=range(9))


def _print_language(result: Result, population: str) -> None:
    language = (result.language or {}).get(population)
    if language is not None:
        for sentence in describe_language(language):
            say(sentence)
        say("What it writes when it is asked:" if language.lines else "")
        for sentence in describe_lines(language):
            say(f"  {sentence}")


def _print_notes(result: Result) -> None:
    asked = indices_of(result)
    if asked is not None:
        say(f"Constants: {constants_line(asked)}.")
    disclaimer = result.provenance.disclaimer
    for note in result.notes:
        if note != disclaimer:
            say(note)
    if disclaimer:
        say(disclaimer, style="yellow")
