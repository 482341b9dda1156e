"""What a synthesis will cost, from the calls of it that are finished."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .calling import Price
from .steps import STEPS, Synthesizer

_BYTES = 4.0  # of a token, where no call has told
_WRITTEN = 1.4  # tokens of a word that was asked for, likewise


@dataclass(frozen=True)
class Estimate:
    """All calls of a synthesis, those that are finished included.

    ``read`` and ``written`` are tokens, ``left`` the calls to make, ``seconds`` for those (None where no
    call has told), ``cost`` of all where there is a price; ``measured`` is how many calls it is from: at 0
    it is a guess.
    """

    calls: int
    left: int
    read: float
    written: float
    measured: int
    seconds: float | None = None
    cost: float | None = None

    @property
    def tokens(self) -> float:
        return self.read + self.written


def estimate(made: Synthesizer, together: int, price: Price | None = None) -> Estimate:
    """The tokens, time and price of all calls.

    A call that is to come reads and writes what those of its step did on average, with the difference in its
    question's length.
    """
    finished = list(made.finished())
    by_step = {step: [one for one in finished if one["step"] == step] for step in STEPS}
    per_byte = _per_byte(finished)
    colours = len(made.palette_map.colours)
    read = written = 0.0
    for step in STEPS:
        known = by_step[step]
        left = len(made.questions) * colours - len(known)
        read += sum(one["read"] for one in known)
        written += sum(one["written"] for one in known)
        # Every call of a step holds the question once.
        all_of = colours * sum(map(_size, made.questions))
        rest = all_of - sum(_size(str(one["question"])) for one in known)
        own = np.mean([_size(str(one["question"])) for one in known]) if known else 0.0
        each_read, each_written = _means(made, step, known, finished)
        read += left * each_read + per_byte * (rest - left * float(own))
        written += left * each_written
    seconds = None
    if finished:
        seconds = (made.calls - len(finished)) * _mean(finished, "seconds") / together
    return Estimate(
        made.calls, made.calls - len(finished), read, written, len(finished), seconds,
        price.of(read, written) if price else None,
    )  # fmt: skip


def _means(
    made: Synthesizer,
    step: str,
    known: Sequence[Mapping[str, Any]],
    finished: Sequence[Mapping[str, Any]],
) -> tuple[float, float]:
    """Tokens read and written by a call of a step, its question left out where no call has told."""
    if known:
        return _mean(known, "read"), _mean(known, "written")
    written = _mean(finished, "written") if finished else _WRITTEN * made.settings.words
    texts = {"answer": 0, "remark": len(made.palette_map.colours), "revise": 2}[step]
    return made.bare(step) / _BYTES + texts * written, written


def _per_byte(finished: Sequence[Mapping[str, Any]]) -> float:
    read, size = sum(one["read"] for one in finished), sum(one["bytes"] for one in finished)
    return read / size if size else 1 / _BYTES


def _mean(calls: Sequence[Mapping[str, Any]], name: str) -> float:
    return float(np.mean([one[name] for one in calls]))


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))
