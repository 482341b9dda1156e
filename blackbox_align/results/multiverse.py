"""The same fit under every defensible choice of how to ask: in how many does the gain hold?

After Steegen et al. (2016), "Increasing transparency through a multiverse analysis": what is chosen
without a reason (readout, order, wording, template, seed) is varied, and all outcomes are shown.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..plots.answers import gains
from ..plots.picture import Picture
from ..statistics.distances import js_distance
from ..statistics.permutations import sign_flip_p
from .names import COUNTRY_IN_TEXT, FITTED, NONE, PEOPLE
from .result import ItemAnswers, Result, Split
from .tables import DISTANCE, ERROR

if TYPE_CHECKING:
    import pandas as pd

CHOICES = ("readout", "orders", "survey", "opinions", "chat_template", "system", "seed")
"""Settings that say how it is asked and searched, and not of whom or by which method."""
_JUDGED: tuple[tuple[str, Split], ...] = (
    (DISTANCE, "held-out"), (ERROR, "held-out"), (DISTANCE, "all"), (ERROR, "all"),
)  # fmt: skip


def ways_varied(axes: Mapping[str, Sequence[Any]]) -> list[str]:
    """The :data:`CHOICES` of which a plan has several values; none where that is the seed alone."""
    varied = [name for name, values in axes.items() if name in CHOICES and len(values) > 1]
    return [] if varied == ["seed"] else varied


def multiverse(found: Sequence[tuple[Mapping[str, Any], Result]]) -> pd.DataFrame:
    """One row per configuration and population: its settings, and by how much the fitted prompt is nearer.

    ``gain`` is the un-prompted figure minus the fitted one, ``gain_over_text`` that with the country named
    in text minus the fitted one, both above 0 where fitting helped; of what was held out, where anything was
    (column ``split``).
    """
    import pandas as pd

    rows = []
    for settings, result in found:
        for code in result.provenance.populations:
            judged = _judged(result, code)
            if judged is None:
                continue
            metric, split, n, values = judged
            rows.append(
                {
                    **settings,
                    "population": code,
                    "metric": metric,
                    "split": split,
                    "n": n,
                    "unprompted": values[NONE],
                    "country_in_text": values[COUNTRY_IN_TEXT],
                    "fitted": values[FITTED],
                    "gain": values[NONE] - values[FITTED],
                    "gain_over_text": values[COUNTRY_IN_TEXT] - values[FITTED],
                }
            )
    return pd.DataFrame(rows)


def _judged(result: Result, code: str) -> tuple[str, Split, int, dict[str, float]] | None:
    """The first metric that there is, on what was held out if anything was."""
    for metric, split in _JUDGED:
        figures = result.select(population=code, metric=metric, split=split)
        values = {figure.condition: figure.value for figure in figures}
        if FITTED in values and NONE in values:
            values.setdefault(COUNTRY_IN_TEXT, math.nan)
            return metric, split, figures[0].n, values
    return None


def question_gains(found: Sequence[tuple[Mapping[str, Any], Result]]) -> pd.DataFrame:
    """One row per configuration, population and question of opinions: gains in JS distance (nats), on what
    was held out, where anything was.
    """
    import pandas as pd

    rows: list[tuple[Any, ...]] = []
    for number, (_, result) in enumerate(found):
        seen = set(result.provenance.fitted_items)
        for people in (one for one in result.answers if one.condition == PEOPLE):
            held_out = set(people.items) - seen
            far = {
                one.condition: dict(zip(one.items, _distances(one, people), strict=True))
                for one in result.answers
                if one.instrument == people.instrument
                and one.population in ("", people.population)
                and one.condition in (NONE, COUNTRY_IN_TEXT, FITTED)
            }
            if not {NONE, FITTED} <= set(far):
                continue
            for item in people.items:
                if item in (held_out or seen):
                    near = far[FITTED].get(item, math.nan)
                    told = far.get(COUNTRY_IN_TEXT, {}).get(item, math.nan)
                    plain = far[NONE].get(item, math.nan) - near
                    rows.append((number, people.population, item, plain, told - near))
    columns = ["configuration", "population", "question", "gain", "gain_over_text"]
    return pd.DataFrame(rows, columns=columns)


def _distances(one: ItemAnswers, people: ItemAnswers) -> list[float]:
    by_people = dict(zip(people.items, people.probabilities, strict=True))
    pairs = zip(one.items, one.probabilities, strict=True)
    return [
        float(js_distance(np.array(own), np.array(by_people[item])))
        if item in by_people
        else math.nan
        for item, own in pairs
    ]


def _p_values(gains_by_question: pd.DataFrame) -> tuple[float, float]:
    """Of the mean gains being 0: all that belongs to a question, in whichever order, wording and readout it
    was put and of whomever, turns its sign together (see :mod:`..statistics.permutations`).
    """
    if not len(gains_by_question):
        return math.nan, math.nan
    rows = gains_by_question
    group = rows["configuration"].astype(str) + " " + rows["population"]
    p = sign_flip_p(
        rows[["gain", "gain_over_text"]].to_numpy(float),
        rows["question"].to_numpy(str),
        group.to_numpy(str),
        np.random.default_rng(0),
    )
    return float(p[0]), float(p[1])


def share_holding(
    frame: pd.DataFrame, found: Sequence[tuple[Mapping[str, Any], Result]] = ()
) -> pd.DataFrame:
    """One row per population, and one over all: configurations, in how many the gains are above 0, and the
    smallest and largest gain.

    Of opinions, from the answers in ``found``, also ``p`` and ``p_over_text``: configurations are no
    independent evidence, questions are, so the test turns the signs of whole questions.
    """
    import pandas as pd

    groups = [*frame.groupby("population", sort=False)]
    if len(groups) > 1:
        groups.append(("all", frame))
    questions = question_gains(found)
    tests = {
        code: _p_values(questions if code == "all" else questions[questions["population"] == code])
        for code, _ in groups
    }
    rows = [
        {
            "population": code,
            "configurations": len(own),
            "gain_holds": int((own["gain"] > 0).sum()),
            "share": float((own["gain"] > 0).mean()),
            "holds_over_text": int((own["gain_over_text"] > 0).sum()),
            "smallest_gain": float(own["gain"].min()),
            "largest_gain": float(own["gain"].max()),
            "p": tests[code][0],
            "p_over_text": tests[code][1],
        }
        for code, own in groups
    ]
    return pd.DataFrame(rows)


def multiverse_picture(frame: pd.DataFrame, varied: Sequence[str]) -> Picture:
    """All gains, a row per population."""
    metric, split = frame["metric"].iloc[0], frame["split"].iloc[0]
    unit = "JS distance, nats" if metric == DISTANCE else "index points"
    each = len(frame) // max(1, frame["population"].nunique())
    return Picture(
        "multiverse",
        "In how many ways of asking the gain holds",
        f"Un-prompted minus fitted ({unit}, {split} questions or indices), a dot for "
        f"each of {each} configurations of {', '.join(varied)}; the bar is their median. No interval: all "
        "that was run is shown. Right of 0 the fitted prompt is nearer to people"
        + (
            "."
            if split == "held-out"
            else "; nothing was held out, so a gain says only that the search worked."
        ),
        frame.assign(unit=f"un-prompted minus fitted ({unit})"),
        gains,
        0.8 + 0.34 * frame["population"].nunique(),
    )
