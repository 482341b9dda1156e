"""The same fit under every defensible choice of how to ask: in how many does the gain hold?

After Steegen et al. (2016), "Increasing transparency through a multiverse analysis": what is chosen
without a reason (readout, order, wording, template, seed) is varied, and all outcomes are shown.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..plots.answers import gains
from ..plots.picture import Picture
from .names import COUNTRY_IN_TEXT, FITTED, NONE
from .result import Result, Split
from .tables import DISTANCE, ERROR

if TYPE_CHECKING:
    import pandas as pd

CHOICES = ("readout", "orders", "survey", "opinions", "chat_template", "system", "seed")
"""Settings that say how it is asked and searched, and not of whom or by which method."""
_JUDGED: tuple[tuple[str, Split], ...] = (
    (DISTANCE, "held-out"), (ERROR, "held-out"), (DISTANCE, "all"), (ERROR, "all"),
)  # fmt: skip


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


def share_holding(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per population, and one over all: configurations, in how many the gains are above 0, and the
    smallest and largest gain.
    """
    import pandas as pd

    groups = [*frame.groupby("population", sort=False)]
    if len(groups) > 1:
        groups.append(("all", frame))
    rows = [
        {
            "population": code,
            "configurations": len(own),
            "gain_holds": int((own["gain"] > 0).sum()),
            "share": float((own["gain"] > 0).mean()),
            "holds_over_text": int((own["gain_over_text"] > 0).sum()),
            "smallest_gain": float(own["gain"].min()),
            "largest_gain": float(own["gain"].max()),
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
