"""Whether what a table gives as the answers to one item are the answers to one item."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import DataFileError
from .non_response import non_responses


@dataclass
class Pair:
    """One item in one sample, as it grows row by row."""

    line: int
    shares: dict[str, float] = field(default_factory=dict)
    told: list[float] = field(default_factory=list)


def people_of(pairs: Mapping[tuple[str, str], Pair]) -> dict[tuple[str, str], float | None]:
    """How many were asked: the number in every row, or the sums where it is how many gave each answer."""
    by_answer = 2 * sum(len(set(pair.told)) > 1 for pair in pairs.values()) > len(pairs)
    return {
        key: math.fsum(pair.told) if by_answer and pair.told else next(iter(pair.told), None)
        for key, pair in pairs.items()
    }


def refuse_equal_counts(path: Path, pairs: Mapping[tuple[str, str], Pair]) -> None:
    """Refuse counts of which all of an item are one number everywhere: that of those who were asked."""
    told = [list(pair.shares.values()) for pair in pairs.values()]
    if len(told) > 1 and all(len(counts) > 1 and len(set(counts)) == 1 for counts in told):
        message = (
            "in every place all answers have the same count, which looks like the number of people who were "
            "asked; give the share, or how many gave each answer."
        )
        raise DataFileError(path, next(iter(pairs.values())).line, message)


def sums_of_the_others(pairs: Mapping[tuple[str, str], Pair]) -> dict[str, set[str]]:
    """The options of each item that are half of all in each of several samples, of three options or more.

    Samples of the same counts are one: in one sample half of all may be chance.
    """
    found: dict[str, set[str]] = {}
    samples: dict[str, set[tuple[float, ...]]] = {}
    for (name, _), pair in pairs.items():
        total = math.fsum(pair.shares.values())
        halves = {o for o, v in pair.shares.items() if 2 * v == total and len(pair.shares) > 2}
        found[name] = found.get(name, halves) & halves
        samples.setdefault(name, set()).add(tuple(sorted(pair.shares.values())))
    return {name: options if len(samples[name]) > 1 else set() for name, options in found.items()}


def refuse_other_options(path: Path, pairs: Mapping[tuple[str, str], Pair]) -> None:
    """Refuse options of one item that differ in case alone, and samples that share none of them."""
    first: dict[str, tuple[str, set[str]]] = {}
    spelled: dict[tuple[str, str], str] = {}
    for (name, label), pair in pairs.items():
        for option in pair.shares:
            other = spelled.setdefault((name, " ".join(option.casefold().split())), option)
            if other != option:
                message = (
                    f"{other!r} and {option!r} of {name!r} differ in spelling alone; write one."
                )
                raise DataFileError(path, pair.line, message)
        options = set(pair.shares) - non_responses(tuple(pair.shares))
        place, others = first.setdefault(name, (label, options))
        if options and others and not options & others:
            raise DataFileError(
                path,
                pair.line,
                f"the options of {name!r} in {label} ({', '.join(sorted(options))}) are none of those in "
                f"{place} ({', '.join(sorted(others))}); write the same ones in all rows of an item.",
            )
