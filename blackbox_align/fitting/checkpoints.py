"""When the best so far is written while a search goes on: seldom enough that it costs little of the time."""

from __future__ import annotations

import time

SECONDS = 60.0
SHARE = 0.1  # of the time of a search that checkpoints may take
EVALUATIONS = 15  # what one costs at most: all is asked plainly, one by one


class Checkpoints:
    """The clock of a search, and what its checkpoints took."""

    def __init__(self) -> None:
        self.started = self.latest = time.monotonic()
        self.last = self.spent = 0.0  # seconds that the last one, and all of them, took

    def due(self, evaluations: int) -> bool:
        """Whether one is due after so many evaluations, and leaves all of them within their share.

        The first is taken to last as long as :data:`EVALUATIONS`.
        """
        now = time.monotonic()
        expected = self.last or EVALUATIONS * (now - self.started) / max(1, evaluations)
        room = SHARE * (now - self.started) - self.spent
        return now - self.latest >= SECONDS and expected <= room

    def written(self, start: float) -> None:
        """One was, from ``start`` until now."""
        self.latest = time.monotonic()
        self.last = self.latest - start
        self.spent += self.last
