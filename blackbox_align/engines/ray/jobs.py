"""Work for a pool: the candidates of a call, in chunks that are answered once each."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from ...adapters.adapter import Adapter
from ..base import Answers


@dataclass(eq=False)
class Job:
    """One call of ``answer``: the chunks that wait for a worker, and the answers so far.

    ``key`` is that of the ``sheet``, which lies in the object store; so do ``shared`` adapters, where a
    worker has several chunks to answer; None where every one is sent its own. ``parts`` are the answers by
    the first candidate of their chunk.
    """

    key: str
    adapters: Sequence[Adapter]
    sheet: Any
    shared: Any = None
    waiting: deque[Chunk] = field(default_factory=deque)
    parts: dict[int, Answers] = field(default_factory=dict)
    left: int = 0

    @classmethod
    def of(cls, key: str, adapters: Sequence[Adapter], sheet: Any, workers: int = 0) -> Job:
        job = cls(key, adapters, sheet)
        job.waiting.extend(Chunk(job, rows) for rows in chunks(len(adapters), workers))
        job.left = len(job.waiting)
        return job

    @property
    def open(self) -> bool:
        return self.left > 0

    @property
    def answers(self) -> Answers:
        """All of them, in the order of the candidates."""
        return Answers.concatenate([self.parts[start] for start in sorted(self.parts)])

    def take_out(self, several: int) -> list[Chunk]:
        """Up to ``several`` chunks for a call, 8 at most.

        One that failed goes alone: should it be the culprit, it drags no others along.
        """
        group = [self.waiting.popleft()]
        several = min(several, len(self.waiting) + 1, 8)
        while len(group) < several and not group[0].causes and not self.waiting[0].causes:
            group.append(self.waiting.popleft())
        return group

    def take_in(self, chunk: Chunk, answers: Answers) -> None:
        """Keep the answers to a chunk; those that were there before are the same."""
        self.left -= chunk.rows.start not in self.parts
        self.parts[chunk.rows.start] = answers


@dataclass(eq=False)
class Chunk:
    """Candidates that one call of a worker answers, and why earlier calls failed."""

    job: Job
    rows: slice
    causes: list[str] = field(default_factory=list)


def chunks(candidates: int, workers: int = 0) -> list[slice]:
    """Cut ``candidates`` into chunks of 2 to 8, equal to within one: 16, or one for each worker asked for.

    How many workers there are at the moment plays no part: a chunk runs as one batch, and the kernels of a
    GPU round differently in batches of another shape. No chunk is of one candidate unless it is the only
    one, because a matrix with one row takes another path on CPUs as well.
    """
    size = min(max(candidates // max(workers, 16), 2), 8)
    count = max(candidates // size, min(candidates, 1))
    ends = [candidates * n // max(count, 1) for n in range(count + 1)]
    return [slice(start, end) for start, end in pairwise(ends)]
