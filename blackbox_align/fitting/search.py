"""The loop: ask, evaluate, note, tell, until there is a reason to stop.

Every search goes through it: that of a fit, that of a benchmark, and that of a function of one's own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import RunError
from ..optimizers import Evaluation, Optimizer
from .stopping import Stopping

HOPELESS = 3  # batches in a row of which not one candidate could be evaluated


@dataclass(frozen=True, eq=False)
class Batch:
    """One tell: all that a search learns and all that a record keeps.

    ``vectors`` (P, d) float64; ``losses`` (G, P), a row per population, NaN where it failed;
    ``answers`` (P, questions, options) float32, or None where nobody was asked; ``gradients`` (P, d)
    float32, or None where the search follows none; ``penalties`` (P,) is what of the losses is no
    distance from people, which no target is reached by; ``texts`` (2, P, texts) what was read;
    ``validation`` (G, P) losses on questions that the search does not see, or None where there are none.
    """

    vectors: np.ndarray
    losses: np.ndarray
    evaluations: Sequence[Evaluation]
    answers: np.ndarray | None = None
    gradients: np.ndarray | None = None
    penalties: np.ndarray | float = 0.0
    texts: np.ndarray | None = None
    validation: np.ndarray | None = None


Evaluate = Callable[[np.ndarray, int], Batch]
"""From vectors (P, d), and the number of the first of them, to what came of them."""


class Standing:
    """Where a search stands: the best vector of every population, and when what was reached.

    ``best`` are the lowest losses, ``errors`` the same without their penalties: these reach a target.
    """

    def __init__(self, populations: int, dimension: int, stopping: Stopping) -> None:
        self.stopping = stopping
        self.best = np.full(populations, np.inf)
        self.errors = np.full(populations, np.inf)
        self.vectors = np.zeros((populations, dimension))
        self.reached_after = np.zeros(populations, dtype=int)  # evaluations until the target loss
        self.told = 0
        self._marked = np.full(
            populations, np.inf
        )  # the loss that has to be bettered, for patience
        self._better_at = 0
        self._validated = np.full(populations, np.inf)  # the validation loss of ``vectors``

    def keep(
        self,
        vectors: np.ndarray,
        losses: np.ndarray,
        penalties: np.ndarray | float = 0.0,
        *,
        told: bool = True,
        validation: np.ndarray | None = None,
    ) -> None:
        """Take (P, d) vectors with their (G, P) losses; those not ``told`` were evaluated elsewhere.

        With ``validation`` (G, P) the vector that stays is, of all that were once the best, the one with the
        smallest validation loss, and patience waits for that one to be bettered.
        """
        errors = losses - penalties
        start = self.told if told else -len(vectors)
        for column, vector in enumerate(vectors):
            after = max(start + column + 1, 0)
            for population in np.flatnonzero(losses[:, column] < self.best):
                self.best[population] = losses[population, column]
                self.errors[population] = errors[population, column]
                counts = self.best[population]
                reached = self.errors[population] <= self.stopping.target_loss
                if reached and not self.reached_after[population]:
                    self.reached_after[population] = max(after, 1)
                if validation is not None:
                    counts = validation[population, column]
                    if not counts < self._validated[population]:
                        continue
                    self._validated[population] = counts
                self.vectors[population] = vector
                if counts < (1 - self.stopping.gain) * self._marked[population]:
                    self._marked[population], self._better_at = counts, after
        if told:
            self.told += len(vectors)

    @property
    def worst(self) -> float | None:
        """The error of the best vector of the population that is farthest from its target."""
        worst = float(self.errors.max())
        return worst if np.isfinite(worst) else None

    def reason(self, optimizer: Optimizer, seconds: float) -> str | None:
        """Why to stop now, as a phrase; None to go on."""
        reason = self.stopping.reason(self.told, self.worst, self.told - self._better_at, seconds)
        wish = optimizer.stop()
        if reason is None and wish:
            reason = "the optimizer stopped: " + ", ".join(f"{k} = {v}" for k, v in wish.items())
        return reason


def search(
    evaluate: Evaluate,
    optimizer: Optimizer,
    standing: Standing,
    *,
    on_batch: Callable[[Batch], None] = lambda batch: None,
    on_told: Callable[[], None] = lambda: None,
    interrupted: Callable[[], bool] = lambda: False,
) -> str:
    """Search until there is a reason to stop, and return it.

    Parameters
    ----------
    evaluate : gives what came of vectors
    standing : where the search stands, with its :class:`.stopping.Stopping`; it is kept up to date
    on_batch : what a batch gave, before the optimizer hears of it: a record writes it down
    on_told : called after every tell
    interrupted : says whether to raise KeyboardInterrupt before the next batch

    Raises
    ------
    RunError
        Not one candidate of :data:`HOPELESS` batches in a row could be evaluated.
    """
    hopeless, started = 0, time.monotonic()
    while True:
        if interrupted():
            raise KeyboardInterrupt
        reason = standing.reason(optimizer, time.monotonic() - started)
        if reason and standing.told:  # one batch at least, so that there is a result
            return reason
        left = standing.stopping.budget - standing.told
        first = optimizer.asked
        candidates = optimizer.ask(min(optimizer.batch, left))
        batch = evaluate(np.array([candidate.vector for candidate in candidates]), first)
        on_batch(batch)
        standing.keep(batch.vectors, batch.losses, batch.penalties, validation=batch.validation)
        optimizer.tell(candidates, batch.evaluations)
        on_told()
        failures = [one.failure for one in batch.evaluations]
        hopeless = 0 if None in failures else hopeless + 1
        if hopeless == HOPELESS:
            raise RunError(
                f"The last {HOPELESS} batches all failed: {failures[-1]}. "
                "Nothing is lost; mend the cause and run the same command again."
            )
