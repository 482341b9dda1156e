"""Runs of format 1, which kept no vectors: they are found by asking the same search again, once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import RunError
from ..optimizers import Evaluation, Optimizer
from .entry import Entry, digest
from .problem import Problem


def vectors_by_asking(
    journal: Path,
    entries: Sequence[Entry],
    optimizer: Optimizer,
    score: Callable[[np.ndarray, int], Sequence[Evaluation]],
) -> tuple[list[np.ndarray], bool]:
    """The vectors of every entry, and whether they are the recorded ones to the last bit.

    Under another number of threads or on another CPU they differ by rounding; the first line is drawn
    and not computed, so that it has to agree.

    Raises
    ------
    RunError
        The search that wrote the journal was another one.
    """
    found, exact = [], True
    for line, entry in enumerate(entries, start=1):
        candidates = optimizer.ask(len(entry.ids))
        vectors = np.array([candidate.vector for candidate in candidates])
        if digest(vectors) != entry.digest:
            if line == 1:
                raise RunError(
                    f"{journal}, line 1: this search proposes other vectors than the one that wrote "
                    "the journal, so it cannot be continued. Start another with --name."
                )
            exact = False
        optimizer.tell(candidates, score(entry.answers, entry.ids[0]))
        found.append(vectors)
    return found, exact


def in_questions(entry: Entry, problem: Problem) -> Entry:
    """The entry with its answers in the order of the questions: format 1 had them item by item."""
    return replace(entry, answers=problem.as_asked(entry.answers))
