"""``bbalign fit`` over several seeds or over indices held out in turn: which fits, and their table."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

from ..errors import SpecificationError
from .options import read_seeds
from .screen import print_table, say

if TYPE_CHECKING:
    from ..results import Result

PAIRS = "pairs"


def variations(seeds: str | None, seed: int, hold_out: str, survey: str) -> list[dict[str, Any]]:
    """The settings in which the fits differ; a single one where nothing is varied."""
    chosen = (seed,) if seeds is None else read_seeds(seeds)
    held: Sequence[str] = [hold_out]
    if hold_out:
        from ..surveys import load_survey
        from ..surveys.survey import refuse_unknown_indices

        names = [index.name for index in load_survey(survey).indices]
        if hold_out != PAIRS:
            refuse_unknown_indices(hold_out, names)
        else:
            held = [",".join(two) for two in combinations(names, 2)]
            if len(held) < 3:
                raise SpecificationError(
                    f"--hold-out pairs needs a survey of three indices or more; not {survey}."
                )
    return [{"seed": one, "hold_out": names} for one in chosen for names in held]


def print_spread(results: Sequence[Result]) -> None:
    """Every condition over the seeds, population by population: the mean, the smallest, the largest."""
    from ..results.names import title
    from ..results.spread import spread
    from ..results.tables import DISTANCE, ERROR, interval

    whole = spread(results)
    for metric, split, places in (
        (DISTANCE, "held-out", 3),
        (DISTANCE, "fit", 3),
        (ERROR, "all", 1),
    ):
        rows = [
            (f.population, title(f.condition), interval(f, places=places))
            for code in whole.provenance.populations
            for f in whole.select(population=code, metric=metric, split=split)  # type: ignore[arg-type]
        ]
        if rows:
            which = "" if split == "all" else f", {split} questions"
            say(f"\n{whole.metric(metric).title}{which}\n", style="bold")
            columns = ("", "condition", f"mean [least, most] of {len(results)}")
            print_table(columns, rows, right=(2,), whole=(0, 1))
    spent = [r.search.evaluations for r in results if r.search]
    say(f"\n{whole.notes[0]} Evaluations: {', '.join(map(str, spent))}.")


def print_held_out(results: Sequence[Result]) -> None:
    """A row per split: errors on the indices held out under every condition, and on those fitted."""
    import numpy as np

    from ..results.names import FITTED, title
    from ..results.spread import held_out_in_turn
    from ..results.tables import compared

    found = held_out_in_turn(results, np.random.default_rng(0))
    names = [*(n for n in found.means if n != FITTED), FITTED]
    heads = [title(name).replace(" ", "\n", 1) for name in names]
    rows = [
        (", ".join(t.held_out), *(f"{t.errors[n]:.1f}" for n in names), f"{t.fit:.1f}")
        for t in found.turns
    ]
    fit = sum(t.fit for t in found.turns) / len(rows)
    rows.append(("mean", *(f"{found.means[n]:.1f}" for n in names), f"{fit:.1f}"))
    say(
        f"Mean absolute error in index points on indices that no search saw, {len(results)} splits\n",
        style="bold",
    )
    print_table(
        ("held out", *heads, "fitted,\nseen"),
        rows,
        right=range(1, len(heads) + 2),
        last_is_total=True,
    )
    say()
    for name, (value, low, high) in found.minus.items():
        say(
            f"Fitted minus {title(name).strip('()')}: {value:+.1f} [{low:+.1f}, {high:+.1f}]; "
            f"{compared(low, high)} it on indices held out."
        )
    say("Brackets: 95 % interval over indices.")
