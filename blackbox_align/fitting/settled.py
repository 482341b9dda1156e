"""What a specification leaves to the model: orders of options, the prompt's place, the language's weight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..engines import EngineInfo
from ..errors import ModelError
from ..objectives.language import USUAL
from .asking import ONE_ORDER
from .record import Record
from .specification import Specification


def recorded_facts(record: Record) -> dict[str, Any]:
    """The facts of a run; one that does not say something was made before it could be otherwise."""
    return with_defaults(record.specification, record.facts)


def with_defaults(settings: Specification, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts with what holds where they do not say it."""
    known: dict[str, Any] = (
        {} if settings.placement == "auto" else {"placement": settings.placement}
    )
    if settings.tokens is not None:
        known["length"] = settings.tokens
    return {"orders": ONE_ORDER, "language": 0.0, **known, **facts}


def as_recorded(settings: Specification, recorded: Mapping[str, Any]) -> Specification:
    """Settings with what they left to the model, as a run recorded it."""
    names = {
        "orders": "orders",
        "placement": "placement",
        "language": "language",
        "tokens": "length",
    }
    return replace(settings, **{n: recorded[key] for n, key in names.items() if key in recorded})


def settle(
    settings: Specification,
    info: EngineInfo,
    recorded: Mapping[str, Any],
    uses_gradient: bool = False,
) -> Specification:
    """What was asked for, else what was recorded, else what suits the model and the search.

    A prompt in the last place is for questionnaires alone, so no language is weighed there by default; nor
    is it beside a function alone, whose unit nobody knows.

    Raises
    ------
    ModelError
        The language is to be weighed, and the engine reads no texts.
    """
    orders, placement, weight = settings.orders, settings.placement, settings.language
    if orders == "auto":
        usual = info.rotations if settings.fits_opinions else info.orders
        orders = str(recorded.get("orders") or usual)
    if placement == "auto":
        usual = info.placement if uses_gradient else info.searched
        placement = str(recorded.get("placement") or usual)
    if weight is None and "language" in recorded:
        weight = float(recorded["language"])
    reads = "read" in info.can
    if weight is None:
        known = settings.fits_indices or settings.fits_opinions  # what a unit of the loss is
        weight = USUAL if known and reads and info.writes and placement != "last" else 0.0
    if weight and not reads:
        raise ModelError(
            f"The engine of {info.name!r} answers questions and reads no texts, so its language cannot "
            "be weighed: leave out --language, or give it 0."
        )
    dtype = info.dtype if settings.dtype == "auto" else settings.dtype
    settled = replace(settings, orders=orders, placement=placement, language=weight, dtype=dtype)
    return replace(settled, tokens=settings.tokens or recorded.get("length") or settled.length)
