"""Checks of what a caller gives an optimizer: each returns the value, or says what it must be."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from blackbox_align.errors import OptimizerError

MOST = 1_000_000  # of anything that is counted; more is a slip, and would fill the memory


def positive(what: str, value: object, low: int = 1, high: int = MOST) -> int:
    """``value`` as an int from ``low`` to ``high``."""
    number = low - 1
    if not isinstance(value, bool | np.bool_):  # which an older numpy takes for a number, and warns
        with suppress(TypeError):
            number = operator.index(value)  # type: ignore[arg-type]
    if number < low:
        raise OptimizerError(f"{what} must be a whole number of at least {low}, not {value!r}.")
    if number > high:
        raise OptimizerError(f"{what} must be at most {high:,}, not {number:,}.")
    return number


def between(what: str, value: object, low: float, high: float) -> float:
    """``value`` as a float with ``low < value <= high``."""
    try:
        number = math.nan if isinstance(value, str | bytes) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if isinstance(value, bool | np.bool_) or not low < number <= high:
        raise OptimizerError(
            f"{what} must be a number above {low:g} and at most {high:g}, not {value!r}."
        )
    return number


def step(what: str, value: object) -> float:
    """``value`` as the length of a step, in units of the search: its square is a number still."""
    return between(what, value, 1e-9, 1e9)


def flag(what: str, value: object) -> bool:
    """``value`` as a bool; nothing else counts as one."""
    if not isinstance(value, bool | np.bool_):
        raise OptimizerError(f"{what} must be true or false, not {value!r}.")
    return bool(value)


def one_of(what: str, value: object, choices: Sequence[str | None]) -> str | None:
    """``value``, which must be one of ``choices``."""
    if not (value is None or isinstance(value, str)) or value not in choices:
        known = ", ".join(map(repr, choices))
        raise OptimizerError(f"{what} must be one of {known}; not {value!r}.")
    return value
