"""How a comparison looks on a screen: its table, its tests, a curve or two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .screen import print_table, say

if TYPE_CHECKING:
    from pathlib import Path

    from ..fitting.plan import Plan
    from ..results.comparison import Comparison

_BLOCKS = " ▁▂▃▄▅▆▇█"


def print_comparison(comparison: Comparison) -> None:
    """Expected evaluations, how soon targets are reached, and which methods are told apart."""
    reached = _curves(comparison)
    rows = [
        (
            str(method),
            f"{row.reached:.0f} of {row.runs:.0f}",
            _evaluations(row.ert, comparison),
            f"{_evaluations(row.ert_low, comparison)} to {_evaluations(row.ert_high, comparison)}",
            f"{row.ert_rounds:,.0f}" if row.ert_rounds < float("inf") else "-",
            f"{row.median_loss:.2f}",
            reached.get(str(method), ""),
        )
        for method, row in comparison.table().iterrows()
    ]
    curve = f"1 to {comparison.budget:,}"
    head = ["method", "reached", "ERT", "95 % interval", "rounds", "median loss", curve]
    print_table(head, rows, right={1, 2, 3, 4, 5}, whole=(0, 6))
    say(
        f"\nERT: expected evaluations until a loss of {comparison.target:g}. The interval is a bootstrap "
        f"{comparison.drawn}. Rounds: the same in batches, for those who ask a batch at once. The last "
        "column is the share of targets reached, evaluations on a log scale.",
    )
    for note in comparison.notes:
        say(note)
    failed = [cell for cell in comparison.cells if cell.failure]
    if failed:
        say(f"{len(failed)} searches failed and are in no figure.")
    if len(comparison.methods) > 1 and comparison.reached:
        _print_tests(comparison)
    elif len(comparison.methods) > 1:
        say("No search reached the target, so methods are not ranked by what they need.")


def _curves(comparison: Comparison) -> dict[str, str]:
    """The empirical distribution of running times of each method, a block a step."""
    from ..results.comparison_pictures import comparison_picture

    if not comparison.finished:
        return {}
    frame = comparison_picture(comparison, "ecdf").frame
    found = {}
    for method, rows in frame.groupby("method", sort=False):
        shares = rows["share"].tolist()
        some = shares[:: max(1, len(shares) // 16)]
        found[str(method)] = "".join(_BLOCKS[round(share * 8)] for share in some)
    return found


def _print_tests(comparison: Comparison) -> None:
    methods, ranking = comparison.ranking()
    order = sorted(range(len(methods)), key=lambda n: ranking.ranks[n])
    ranks = ", ".join(f"{methods[n]} {ranking.ranks[n]:.2f}" for n in order)
    say(
        f"Mean ranks over {ranking.problems} problems (country and seed): {ranks}; ranks nearer than "
        f"{ranking.critical_difference:.2f} are not told apart (Nemenyi, 5 %).",
    )
    _, pairs = comparison.pairs()
    for pair in pairs:
        say(
            f"{methods[pair.a]} needs fewer than {methods[pair.b]} in {100 * pair.superiority:.0f} % of "
            f"problems (Wilcoxon with Holm: p = {pair.p:.2g}).",
        )
    count = len({cell.country for cell in comparison.finished})
    if not comparison.over_countries:
        these = "This is 1 country" if count == 1 else f"These are {count} countries"
        say(f"{these} on one set of models, which says nothing of others.")


def print_multiverse(plan: Plan, folder: Path) -> None:
    """Of a comparison that varies how it is asked: in how many configurations the gain holds."""
    from ..fitting.plan import results_of
    from ..results.multiverse import multiverse, share_holding, ways_varied

    varied = ways_varied(plan.axes)
    if not varied:
        return
    found = results_of(plan, folder)
    frame = multiverse(found)
    if not len(frame):
        return
    held_out = set(frame["split"]) == {"held-out"}
    say(
        f"\nIn how many configurations of {', '.join(varied)} the fitted prompt is nearer to people, on "
        + ("what was held out:" if held_out else "what was fitted (nothing was held out):")
    )
    rows = [
        (
            str(row.population),
            f"{row.gain_holds} of {row.configurations}",
            f"{row.holds_over_text} of {row.configurations}",
            f"{row.smallest_gain:.3f} to {row.largest_gain:.3f}",
            f"{row.p:.2g}",
            f"{row.p_over_text:.2g}",
        )
        for row in share_holding(frame, found).itertuples(index=False)
    ]
    gain = ("than un-prompted", "than country in text", "gain, smallest to largest")
    tested = any(row[4] != "nan" for row in rows)  # of indices no question has a gain of its own
    width = 6 if tested else 4
    print_table(
        ("", *gain, "p", "p, text")[:width],
        [row[:width] for row in rows],
        right=set(range(1, width)),
    )
    if tested:
        say(
            "p: of the mean gain being 0, by turning the signs of whole questions with all their orders and "
            "wordings; configurations of the same questions are no independent evidence.",
        )


def json_of(comparison: Comparison) -> dict[str, Any]:
    """The table in JSON's own kinds; not reached is null."""
    table = comparison.table().reset_index().astype(object)
    return {
        "target": comparison.target,
        "budget": comparison.budget,
        "methods": table.replace({float("inf"): None}).to_dict("records"),
    }


def _evaluations(value: float, comparison: Comparison) -> str:
    return f"{value:,.0f}" if value < float("inf") else f"> {comparison.budget:,}"
