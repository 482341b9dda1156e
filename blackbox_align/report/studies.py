"""The page of a committee's study: how a palette answers for single countries, beside its rivals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import RunError
from ..plots import Picture
from ..plots.answers import intervals
from .page import Block, Page

WITHOUT_A_MODEL = (
    "uniform", "one-hot of the true mode", "mean of other countries", "mean of the colour's other countries",
)  # fmt: skip
UNIT = "S = 100 (1 - JS distance in nats)"
_NEEDED = ("ways", "by_country", "rows", "questions", "countries", "model", "revision", "orders",
           "survey")  # fmt: skip


def is_study(value: Any) -> bool:
    """Whether a value is what ``bbalign palette assess --json`` printed."""
    return isinstance(value, Mapping) and "ways" in value and "by_country" in value


def study_page(study: Mapping[str, Any], name: str = "") -> Page:
    """A study as :meth:`..palette.scores.Scores.to_dict` tells it, with the model and the orders beside.

    Raises :class:`..errors.RunError` where a part is missing.
    """
    import pandas as pd

    missing = [part for part in _NEEDED if part not in study]
    if missing:
        raise RunError(
            f"{name or 'The study'} holds no {missing[0]!r}; print it again with --json."
        )
    who = (
        f"Simulated answers of {study['model']} on {study['survey']}, for {study['countries']} countries; "
        f"n = {study['rows']} distributions of {study['questions']} questions that no colour was fitted to, "
        f"options in orders {study['orders']!r}. A line is the 95 % interval, a bootstrap over questions: "
        "it is for these countries alone. Squares ask no model."
    )
    pictures = [
        _picture(study["ways"], "ways", "How near each way of answering comes to people",
                 f"{who} {UNIT}: higher is nearer to people.", UNIT)
    ]  # fmt: skip
    for other, ways in study.get("minus", {}).items():
        told = {way: one for way, one in ways.items() if way != other}
        pictures.append(
            _picture(
                told,
                f"minus-{other.replace(' ', '-')}",
                f"The same minus {other}",
                f"{who} Differences of {UNIT} on the same questions: right of 0 a way is nearer to people "
                f"than {other}, and where the line crosses 0 they are not told apart.",
                f"difference of S from {other}",
            )
        )
    countries = [{"country": code, **ways} for code, ways in study["by_country"].items()]
    notes = (*study.get("notes", ()), *_few(int(study["countries"])))
    facts = (
        ("asked of", ", ".join(study["by_country"])),
        ("model", str(study["model"])),
        ("revision", str(study["revision"])[:12] or "not known"),
        ("orders", str(study["orders"])),
        ("wording", str(study["survey"])),
        ("baselines", "; ".join(way for way in study["ways"] if way in WITHOUT_A_MODEL) or "none"),
        ("held out", f"{study['questions']} questions that no colour was fitted to"),
        ("gate", ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in dict(study.get("gate") or {}).items())),
        ("not validated", "The answers are simulated: no person was asked for them."),
    )  # fmt: skip
    return Page(
        f"{study['survey']}: a committee's simulated answers, by {study['model']}",
        (f"Study: {name}.",) if name else (),
        (
            *pictures,
            Block("Country by country", (f"{UNIT}, the mean over questions; no intervals.",),
                  table=pd.DataFrame(countries), csv="countries"),
            *((Block("What has to be said beside the figures", notes),) if notes else ()),
            Block("Checklist", (), facts),
        ),
    )  # fmt: skip


def _picture(
    ways: Mapping[str, Mapping[str, float]], name: str, title: str, caption: str, unit: str
) -> Picture:
    import pandas as pd

    rows = [
        (way, one["value"], one["low"], one["high"], "baseline" if way in WITHOUT_A_MODEL else "asked", unit)
        for way, one in sorted(ways.items(), key=lambda pair: -pair[1]["value"])
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["name", "value", "low", "high", "kind", "unit"])
    return Picture(name, title, caption, frame, intervals, 0.75 + 0.3 * len(rows))


def _few(countries: int) -> tuple[str, ...]:
    return (f"{countries} countries carry no claim about others.",) if countries < 10 else ()
