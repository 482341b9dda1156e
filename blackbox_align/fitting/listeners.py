"""Who is told what happens while a run is searched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..results import Result
from .budget import Outlay

if TYPE_CHECKING:
    from ..engines.ray.pool import OnTrouble


@dataclass(frozen=True)
class Progress:
    """Where a search stands after a tell.

    ``best`` is the error of the best prompt, its loss without what the language adds, of several countries
    their mean, as the result has it; None until an evaluation has succeeded. ``doing`` says what goes on
    before the first of them.
    """

    evaluations: int
    budget: int
    best: float | None
    replayed: int
    seconds: float
    doing: str = ""


OnProgress = Callable[[Progress], None]
OnResult = Callable[[Result], None]
OnOutlay = Callable[[Outlay], None]


@dataclass(frozen=True)
class Listeners:
    """Who is told what happens on the way; see :func:`.fit.fit`."""

    on_progress: OnProgress
    on_trouble: OnTrouble
    on_result: OnResult
    on_outlay: OnOutlay
