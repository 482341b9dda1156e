"""The pictures of one fit, from its result: what it is to be looked at, without a model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from ..plots.answers import convergence, dumbbell, intervals, shares
from ..plots.picture import Picture
from .names import BASELINES, COLUMNS, COUNTRY_IN_TEXT, FITTED, NONE, PEOPLE, title
from .result import Asked, Figure, Result, Split
from .tables import ASKED, DISTANCE, ERROR, index_rows, indices_of, opinions_of

if TYPE_CHECKING:
    import pandas as pd

ITEMS_A_PICTURE, ITEMS_AT_MOST = 10, 40
INTERVAL = "Lines are 95 % intervals, a bootstrap over questions"
_ORDER = (PEOPLE, NONE, COUNTRY_IN_TEXT, FITTED)


def fit_pictures(
    result: Result, population: str, losses: np.ndarray | None = None
) -> list[Picture]:
    """All that can be drawn of one population of a fit, what was held out first.

    ``losses`` is (evaluations,) what the search saw, NaN where an evaluation failed; without it there is
    no picture of the convergence.
    """
    name = result.provenance.populations.get(population, population)
    found: list[Picture] = []
    opinions, indices = opinions_of(result), indices_of(result)
    if opinions is not None:
        found += _held_out(result, population, name, opinions)
    if indices is not None:
        found += _indices(result, population, name, indices)
    if losses is not None and len(losses):
        found.append(convergence_picture(result, name, losses))
    found += _answers(result, population, name)
    return found


def interval_picture(
    figures: list[Figure], name: str, heading: str, caption: str, unit: str
) -> Picture:
    """Figures with their intervals, a row each."""
    import pandas as pd

    rows = [(_named(f), f.value, f.low, f.high, f.n, _kind(f), unit) for f in figures]
    frame = pd.DataFrame(rows, columns=["name", "value", "low", "high", "n", "kind", "unit"])
    return Picture(name, heading, caption, frame, intervals, 0.75 + 0.3 * len(rows))


def _named(figure: Figure) -> str:
    return title(figure.minus) if figure.minus else title(figure.condition)


def _kind(figure: Figure) -> str:
    if figure.minus:
        return "fitted"
    if figure.condition in BASELINES:
        return "baseline"
    return "fitted" if figure.condition == FITTED else "asked"


def _held_out(result: Result, population: str, name: str, asked: Asked) -> Iterator[Picture]:
    """Distances on the questions that no search saw, and what fitting changed in them."""
    split = "held-out" if result.select(split="held-out", metric=DISTANCE) else "all"
    chosen = {"population": population, "metric": DISTANCE, "instrument": asked.name}
    figures = _ordered(result.select(**chosen, split=split))  # type: ignore[arg-type]
    if not figures:
        return
    n, unit = figures[0].n, "JS distance (nats)"
    told = f"on {n} {split.replace('all', 'of all')} questions of {asked.title}"
    who = f"simulated answers of {result.provenance.model} and those of people in {name}"
    yield interval_picture(
        figures,
        "held-out",
        f"Held out: how far simulated answers are from people's, {name}",
        f"Mean Jensen-Shannon distance in nats (0 is equal, 0.83 the farthest) between {who}, {told}. "
        f"{INTERVAL}. Squares ask no model. No search saw these questions.",
        unit,
    )
    minus = [
        f
        for f in result.select(**chosen, split=split, minus=None)  # type: ignore[arg-type]
        if f.minus and f.condition == FITTED
    ]
    if minus:
        yield interval_picture(
            minus,
            "fitted-minus",
            "Held out: the fitted prompt minus each other row",
            f"Paired differences of the distances above, fitted minus the row named, {told}. {INTERVAL}; "
            "left of 0 the fitted prompt is nearer to people, and where a line crosses 0 no difference is "
            "shown.",
            "difference of JS distances (nats)",
        )


def _indices(result: Result, population: str, name: str, asked: Asked) -> Iterator[Picture]:
    import pandas as pd

    kept = set(asked.held_out)
    if kept:
        yield from _index_errors(result, population, name, asked, "held-out")
    rows = index_rows(result, population)
    columns = ["index", "title", "target", *(COLUMNS[condition] for condition in ASKED)]
    frame = pd.DataFrame(
        [
            (r.name, f"{r.title}, held out" if r.name in kept else r.title, r.target, *r.points)
            for r in rows
        ],
        columns=columns,
    )
    fitted = ", ".join(r.name for r in rows if r.name not in kept)
    yield Picture(
        "indices",
        f"Indices: published, and by simulated answers, {name}",
        f"{len(rows)} indices of {asked.title} in points: diamonds are the published figures of {name} "
        f"({asked.targets_title}), of which {fitted} were fitted; the other marks what "
        f"{result.provenance.model} answers un-prompted, with the country named in text, and with the "
        f"fitted prompt (n = 1 search, {asked.items} questions). Each index is shifted by a constant "
        f"({asked.policy}), the same for all countries. Single figures, hence no interval.",
        frame,
        dumbbell,
        0.95 + 0.36 * len(rows),
    )
    if not kept:
        yield from _index_errors(result, population, name, asked, "all")


def _index_errors(
    result: Result, population: str, name: str, asked: Asked, split: Split
) -> Iterator[Picture]:
    errors = _ordered(
        result.select(population=population, metric=ERROR, split=split, instrument=asked.name)
    )
    if not errors:
        return
    held = split == "held-out"
    which = (
        f"the indices held out, {', '.join(asked.held_out)}, which no search saw"
        if held
        else "those that were fitted: nothing is held out here"
    )
    yield interval_picture(
        errors,
        "index-error",
        f"{'Held out: mean' if held else 'Mean'} absolute error of the indices, {name}",
        f"Mean distance between index and published figure in points, n = {errors[0].n} indices, {which}. "
        "Lines are 95 % intervals, a bootstrap over indices. Squares ask no model. Target: "
        f"{asked.targets_title}.",
        "mean absolute error (index points)",
    )


def _ordered(figures: list[Figure]) -> list[Figure]:
    """The model's rows in the order in which they are always told, then the baselines."""
    place = {condition: n for n, condition in enumerate(_ORDER)}
    return sorted(figures, key=lambda f: (f.is_baseline, place.get(f.condition, len(place))))


def loss_unit(result: Result) -> str:
    """The unit of the loss that was searched."""
    objective = result.search.objective if result.search else ""
    if "+" in objective or "*" in objective:
        return "weighted sum"
    return "index points" if objective in ("indices", "vsm13") else "JS distance, nats"


def convergence_picture(result: Result, name: str, losses: np.ndarray) -> Picture:
    """Every evaluation and the best so far."""
    import pandas as pd

    search = result.search
    target = search.target_loss if search and search.target_loss is not None else np.nan
    unit = loss_unit(result)
    frame = pd.DataFrame(
        {
            "evaluation": np.arange(1, len(losses) + 1),
            "loss": losses,
            "best": np.fmin.accumulate(losses),
            "target": target,
            "unit": unit,
        }
    )
    who = f"{search.optimizer}, seed {search.seed}" if search else "the search"
    of = f", of {search.objective}" if search else ""
    return Picture(
        "convergence",
        f"The search, {name}",
        f"Loss ({unit}{of}) of each of {len(losses):,} evaluations by {who} (n = 1 search, no interval), "
        "and the best so far. Evaluations that failed are left out."
        + (f" The dashed line is the target loss, {target:g}." if target and target > 0 else ""),
        frame,
        convergence,
        2.7,
    )


def answers_frame(result: Result, population: str | None = None) -> pd.DataFrame:
    """One row per population, condition, item and option: what people and models answered.

    ``option`` counts from 1 in the order of the questionnaire; ``mass`` is the share of the next token
    that is any label, NaN where that is not known.
    """
    import pandas as pd

    columns = ["instrument", "population", "condition", "item", "option", "probability", "mass"]
    rows = [
        (
            one.instrument, one.population, COLUMNS.get(one.condition, one.condition), item, option,
            probability, one.mass[place] if place < len(one.mass) else np.nan,
        )
        for one in result.answers
        if population is None or one.population in ("", population)
        for place, (item, shares_) in enumerate(zip(one.items, one.probabilities, strict=True))
        for option, probability in enumerate(shares_, start=1)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _answers(result: Result, population: str, name: str) -> Iterator[Picture]:
    """Before, after and people's, items that moved most first; a dozen a picture."""
    whole = answers_frame(result, population)
    words = {"unprompted": "before", "fitted": "after", "target": "people"}
    whole = whole[whole["condition"].isin(list(words))]
    for instrument, rows in whole.groupby("instrument", sort=False):
        table = rows.pivot_table("probability", "item", ["condition", "option"], sort=False)
        if "fitted" not in table or "unprompted" not in table:
            continue
        moved = (table["fitted"] - table["unprompted"]).abs().sum(axis=1) / 2
        order = list(moved.sort_values(ascending=False, kind="stable").index)[:ITEMS_AT_MOST]
        parts = [order[n : n + ITEMS_A_PICTURE] for n in range(0, len(order), ITEMS_A_PICTURE)]
        for number, items in enumerate(parts, start=1):
            frame = rows[rows["item"].isin(items)].copy()
            frame["condition"] = frame["condition"].map(words)
            rank = {item: place for place, item in enumerate(items)}
            turn = {"before": 0, "after": 1, "people": 2}
            frame = frame.assign(_i=frame["item"].map(rank), _c=frame["condition"].map(turn))
            frame = frame.sort_values(["_i", "_c", "option"], kind="stable")
            frame["moved"] = frame["item"].map(moved)
            kinds = len(set(frame["condition"]))
            yield Picture(
                f"answers-{instrument}-{number}",
                f"Answers item by item, {name} ({number} of {len(parts)})",
                f"Shares of the options of {len(items)} of {len(moved)} items of {instrument}, those that "
                "fitting moved most first (total variation, column 'moved'): simulated answers un-prompted "
                "(before) and with the fitted prompt (after)"
                + (f", and people's in {name}" if kinds == 3 else "")
                + ". n = 1 search; probabilities of the model, hence no interval. Options are numbered in "
                "the order of the questionnaire, from light to dark.",
                frame[["item", "condition", "option", "probability", "moved"]],
                shares,
                1.0 + (0.17 * kinds + 0.07) * len(items),
            )
