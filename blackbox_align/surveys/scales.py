"""The order of an item's options: ladders of numbers, and rows that contradict each other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from ..errors import DataFileError

# Ranges: "18-29", "18 to 29", "65+", "65 or more", "under 18", "over 64".
_BOUNDED = re.compile(
    r"(?P<range>\d{1,3}(?:,?\d{3})*)\s*"
    r"(?:(?:[-–—]|to|bis|a|à)\s*\d[\d,]*|\+|(?:and|or) (?:more|over|older|above))|"
    r"(?:under|below|less than|fewer than|up to|<|≤)\s*(?P<below>\d[\d,]*)|"
    r"(?:over|above|more than|>|≥)\s*(?P<above>\d[\d,]*)",
    re.IGNORECASE,
)


def _number(option: str) -> float | None:
    """The number that an option is, or begins with: ``7``, ``-2``, ``10 - always``, ``18-29``."""
    bounded = _BOUNDED.fullmatch(option.strip())
    if bounded:
        aside = {"below": -0.5, "above": 0.5}.get(bounded.lastgroup or "", 0.0)
        return float(bounded[bounded.lastgroup or 0].replace(",", "")) + aside
    found = re.fullmatch(
        r"([-+]?\d{1,4}(?:\.\d+)?)(?:\s*[-–:=.)(]\s*\D.*|\s+[^\W\d].*)?", option.strip()
    )
    return float(found[1]) if found else None


_MONTH = (
    r"(jan|feb|mar|mrz|mär|apr|avr|abr|may|mai|mag|jun|giu|jul|lug|aug|ago|août|sep|set|oct|okt|ott|out|"
    r"nov|dec|dez|dic|déc|ene|fév|févr|juin|juil)"
)
_DATE = re.compile(
    rf"\d{{1,2}}[-. ]+{_MONTH}\.?|{_MONTH}[-. ]+\d{{1,2}}|\d{{4}}-\d\d-\d\d([T ]00:00:00)?|"
    r"\d{1,2}/\d{1,2}/\d{4}",
    re.IGNORECASE,
)


def dates_among(options: Sequence[str]) -> list[str]:
    """The options that are dates as a spreadsheet writes them; it makes ``3-Apr`` of the range 3-4 too."""
    return [option for option in options if _DATE.fullmatch(option.strip())]


def refuse_dates(path: Path, item: str, options: Sequence[str]) -> None:
    """Raise :class:`DataFileError` where dates are among the options of an item."""
    dates = dates_among(options)
    if dates:
        raise DataFileError(
            path,
            None,
            f"{', '.join(dates[:4])} among the options of {item!r} are dates, which Excel makes of ranges "
            "(3-4 becomes 3-Apr); write the ranges again (3 to 4), or a date that is meant in words "
            "(April the 3rd).",
        )


def arranged(options: Sequence[str]) -> tuple[str, ...]:
    """The options, numbers in rising order where all of them are numbers and in no order at all.

    A scale that falls steadily keeps its order; so do words, of which nothing is known.
    """
    numbers = [_number(option) for option in options]
    worded = [o for o in options if not _BOUNDED.fullmatch(o.strip())]
    worded = [o for o in worded if re.match(r"[-+]?\d+(\.\d+)?\s+[^\W\d]", o.strip())]
    if len(worded) > 2:  # "30 minutes", "1 hour": the numbers count different things
        return tuple(options)
    known = [number for number in numbers if number is not None]
    if len(known) < len(numbers) or len(set(known)) < len(known):
        return tuple(options)
    if known in (sorted(known), sorted(known, reverse=True)):
        return tuple(options)
    return tuple(option for _, option in sorted(zip(known, options, strict=True)))


def is_ladder(options: Sequence[str]) -> bool:
    """Whether the options are plainly a scale of numbers, with words at the ends perhaps.

    Numbers in front of words say nothing: "1. Yes", "2. No" are no scale.
    """
    bare = [option.strip() for option in options]
    whole = [re.fullmatch(r"[-+]?\d{1,3}", option) is not None for option in bare]
    if sum(whole) < max(2, len(options) - 2) or not all(whole[1:-1]):
        return False
    numbers = [int(option) for option, number in zip(bare, whole, strict=True) if number]
    rising = all(a < b for a, b in pairwise(numbers))
    return rising or all(a > b for a, b in pairwise(numbers))


def contradicts(options: Sequence[str], first: Sequence[str]) -> bool:
    """Whether options that both lists have stand in another order in them."""
    place = {option: n for n, option in enumerate(first)}
    places = [place[option] for option in options if option in place]
    return places != sorted(places)
