"""What every optimizer promises: ask, tell, stop, recommend, and a state that can be saved.

An optimizer proposes vectors in standardised coordinates: the search starts at ``z = 0`` and one
unit per coordinate is a natural first step. It is a function of its seed and of what it was told:
the same generator and the same tells give the same bits.

A new algorithm derives from :class:`Optimizer` and writes two hooks, ``_ask`` and ``_tell``. The
public methods around them count, check, and keep the best, so that no algorithm has to.
"""

from __future__ import annotations

import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from blackbox_align.errors import OptimizerError
from blackbox_align.optimizers import state as states

STATE_FORMAT = 1


@dataclass(frozen=True, eq=False)
class Candidate:
    """A proposal: its number, counted up from 0, and its vector, ``(dimension,)`` float64."""

    id: int
    vector: np.ndarray


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What came back for one candidate: a loss, or the reason why there is none.

    ``residuals`` is ``(m,)`` float64, and the loss a measure of their size: the mean of ``|residuals|``
    for indices, about their root mean square for opinions. Searches that see only a number do
    without. A failure carries no loss at all: how an algorithm treats one is its own
    decision, and stated in its docstring.
    """

    loss: float | None = None
    residuals: np.ndarray | None = None
    failure: str | None = None

    def __post_init__(self) -> None:
        if self.failure is not None:
            if self.loss is not None or self.residuals is not None:
                raise OptimizerError(
                    f"A failed evaluation ({self.failure!r}) has no loss and no residuals."
                )
            return
        if self.loss is None:
            raise OptimizerError(
                "An evaluation needs a loss; Evaluation.failed(reason) says that there is none."
            )
        if not math.isfinite(self.loss):
            raise OptimizerError(
                f"A loss must be finite, not {self.loss}; report Evaluation.failed(reason) instead."
            )
        object.__setattr__(self, "loss", float(self.loss))
        if self.residuals is not None:
            residuals = np.array(self.residuals, dtype=np.float64)
            if residuals.ndim != 1 or residuals.size == 0 or not np.isfinite(residuals).all():
                raise OptimizerError(
                    "Residuals must be a vector of at least one finite number; "
                    "drop the missing ones, or report Evaluation.failed(reason)."
                )
            residuals.setflags(write=False)
            object.__setattr__(self, "residuals", residuals)

    @classmethod
    def failed(cls, reason: str) -> Evaluation:
        """The evaluation of a candidate that gave no loss, and why."""
        return cls(failure=reason)

    @property
    def status(self) -> str:
        """``"ok"`` or ``"failed"``."""
        return "ok" if self.failure is None else "failed"


@dataclass(frozen=True)
class Capabilities:
    """What an optimizer can do; the contract tests hold it to this.

    any_number        ``ask(n)`` is sensible for every n, not only for the natural batch
    partial_tell      it goes on when some candidates are never told
    out_of_order_tell candidates may be told in another order, and after later ones were asked
    uses_residuals    it needs the vector of residuals, not only the loss
    bounds            it can be confined to a box
    exact_resume      one seed always gives the same bits, and so does a search that was resumed
    stochastic        it draws at random, so that another seed gives another search
    observes          it can start from evaluations made elsewhere
    uses_budget       ``budget`` shapes the search, so that it must be the true one
    """

    any_number: bool = True
    partial_tell: bool = True
    out_of_order_tell: bool = True
    uses_residuals: bool = False
    bounds: bool = False
    exact_resume: bool = True
    observes: bool = False
    stochastic: bool = True
    uses_budget: bool = False


class Optimizer(ABC):
    """A gradient-free search over vectors of ``dimension`` numbers.

    ``rng`` is the only source of randomness and belongs to the optimizer from here on. ``budget``
    is the number of evaluations that the caller means to spend, where known. The options of an
    algorithm are keyword arguments of its own ``__init__``.

    Raises :class:`~blackbox_align.errors.OptimizerError` on any use against the contract.
    """

    name: str
    """The registered name; the registry sets it on what it creates."""
    capabilities: ClassVar[Capabilities] = Capabilities()
    _state: ClassVar[tuple[str, ...]] = ()
    """The attributes that, with the generator, are the algorithm's whole state."""

    def __init__(
        self, dimension: int, rng: np.random.Generator, *, budget: int | None = None
    ) -> None:
        self.dimension = positive("dimension", dimension)
        self.budget = None if budget is None else positive("budget", budget)
        if not isinstance(rng, np.random.Generator):
            raise OptimizerError(
                f"rng must be a numpy.random.Generator, not {type(rng).__name__}; "
                "numpy.random.default_rng(seed) makes one."
            )
        self.rng = rng
        self.asked = 0
        self.told = 0
        self._pending: dict[int, np.ndarray] = {}
        self._best: tuple[int, float, np.ndarray] | None = None

    # -- what callers use ------------------------------------------------------------------------

    @property
    def batch(self) -> int:
        """How many candidates ``ask()`` gives now; an algorithm may override it."""
        return 16

    def ask(self, n: int | None = None) -> list[Candidate]:
        """The next ``n`` candidates; where ``n`` is None the natural batch, or what the budget
        leaves of it."""
        count = self._natural() if n is None else positive("n", n)
        ids = range(self.asked, self.asked + count)
        vectors = np.array(self._ask(ids), dtype=np.float64)
        if vectors.shape != (count, self.dimension):
            raise OptimizerError(
                f"{self.name} made vectors of shape {vectors.shape} "
                f"where {(count, self.dimension)} was asked."
            )
        if not np.isfinite(vectors).all():
            raise OptimizerError(
                f"{self.name} diverged: it proposed a vector that is not finite; "
                "a smaller initial step may help."
            )
        vectors.setflags(write=False)
        self.asked += count
        self._pending.update(zip(ids, vectors, strict=True))
        return [Candidate(i, vector) for i, vector in zip(ids, vectors, strict=True)]

    def tell(self, candidates: Sequence[Candidate], evaluations: Sequence[Evaluation]) -> None:
        """Take the evaluations of some candidates, in any order, each candidate once.

        Nothing is taken where anything is wrong with one of them.
        """
        candidates, evaluations = list(candidates), list(evaluations)
        if len(candidates) != len(evaluations):
            raise OptimizerError(
                f"tell needs one evaluation per candidate, not {len(evaluations)} "
                f"for {len(candidates)}."
            )
        seen: set[int] = set()
        for candidate, evaluation in zip(candidates, evaluations, strict=True):
            self._check_told(candidate.id, evaluation, seen)
            seen.add(candidate.id)
        if not candidates:
            return
        # The vectors are taken from our own books: a caller may hold only the numbers.
        known = [Candidate(c.id, self._pending.pop(c.id)) for c in candidates]
        self.told += len(known)
        for candidate, evaluation in zip(known, evaluations, strict=True):
            loss = evaluation.loss
            if loss is not None and (self._best is None or loss < self._best[1]):
                self._best = (candidate.id, loss, np.array(candidate.vector))
        self._tell(known, evaluations)

    def observe(self, vectors: np.ndarray, evaluations: Sequence[Evaluation]) -> None:
        """Learn from evaluations that were made elsewhere, before the first ask.

        ``vectors`` is ``(n, dimension)``. Raises OptimizerError where the algorithm cannot.
        """
        if not self.capabilities.observes:
            raise OptimizerError(
                f"{self.name} cannot start from earlier evaluations; gauss-newton can."
            )
        if self.asked:
            raise OptimizerError("Earlier evaluations are observed before the first ask.")
        vectors = np.array(vectors, dtype=np.float64)
        known = [Candidate(-1 - row, vector) for row, vector in enumerate(vectors)]
        for candidate, loss in succeeded(known, list(evaluations)):
            if self._best is None or loss < self._best[1]:
                self._best = (candidate.id, loss, np.array(candidate.vector))
        self._observe(known, list(evaluations))

    def replay(self, past: Iterable[tuple[np.ndarray, Sequence[Evaluation]]]) -> None:
        """Take over what a search like this one did: ask again, put the recorded vectors in the books,
        tell.
        """
        for vectors, evaluations in past:
            candidates = self.ask(len(vectors))
            for candidate, vector in zip(candidates, vectors, strict=True):
                self._pending[candidate.id] = np.array(vector, dtype=np.float64)
            self.tell(candidates, evaluations)

    def stop(self) -> dict[str, object]:
        """Why the search wants to end, ``{reason: value}``; empty while it wants to go on."""
        reasons = self._stop()
        if self.budget is not None and self.told >= self.budget:
            reasons["budget"] = self.told
        return reasons

    def recommend(self) -> Candidate:
        """The candidate to keep: the best one told so far, unless an algorithm knows better."""
        if self._best is None:
            raise OptimizerError(
                f"{self.name} has nothing to recommend: no evaluation has succeeded "
                f"({self.told} told)."
            )
        return Candidate(self._best[0], self._best[2].copy())

    def state_dict(self) -> dict[str, Any]:
        """Everything the rest of the search depends on: JSON values and numpy arrays, copied.

        :func:`blackbox_align.optimizers.state.dumps` turns it into text and ``loads`` back.
        """
        return {
            "format": STATE_FORMAT,
            "name": self.name,
            "dimension": self.dimension,
            "asked": self.asked,
            "told": self.told,
            "pending": states.plain(self._pending),
            "best": states.plain(self._best),
            "rng": states.plain(self.rng.bit_generator.state),
            "algorithm": self._save(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where the optimizer that gave ``state`` stood; made with the same options."""
        for key, mine in (
            ("format", STATE_FORMAT),
            ("name", self.name),
            ("dimension", self.dimension),
        ):
            if state.get(key) != mine:
                raise OptimizerError(
                    f"This state has {key} {state.get(key)!r}, where the optimizer has {mine!r}."
                )
        try:
            self.rng.bit_generator.state = states.unplain(state["rng"])
        except (TypeError, ValueError) as error:
            raise OptimizerError(
                "This state was saved with another kind of random generator than "
                f"{type(self.rng.bit_generator).__name__}."
            ) from error
        self.asked, self.told = state["asked"], state["told"]
        self._pending = states.unplain(state["pending"])
        best = states.unplain(state["best"])
        self._best = None if best is None else tuple(best)
        self._load(state["algorithm"])

    def _natural(self) -> int:
        left = self.batch if self.budget is None else self.budget - self.asked
        return min(self.batch, left) if left > 0 else self.batch

    # -- what algorithms write -------------------------------------------------------------------

    @abstractmethod
    def _ask(self, ids: range) -> np.ndarray | Sequence[np.ndarray]:
        """Vectors for the candidates ``ids``, ``(len(ids), dimension)``."""

    @abstractmethod
    def _tell(self, candidates: list[Candidate], evaluations: list[Evaluation]) -> None:
        """Learn from checked evaluations, in the order they were told."""

    def _observe(self, candidates: list[Candidate], evaluations: list[Evaluation]) -> None:
        """Take earlier evaluations; for algorithms that have the capability ``observes``."""
        raise NotImplementedError

    def _stop(self) -> dict[str, object]:
        return {}

    def _save(self) -> dict[str, Any]:
        return {key: states.plain(getattr(self, key)) for key in self._state}

    def _load(self, state: dict[str, Any]) -> None:
        for key in self._state:
            setattr(self, key, states.unplain(state[key]))

    def _check_told(self, id: int, evaluation: Evaluation, seen: Iterable[int]) -> None:
        if id not in self._pending or id in seen:
            known = isinstance(id, int) and 0 <= id < self.asked
            raise OptimizerError(
                f"Candidate {id} was told before; each candidate is told once."
                if known
                else f"Candidate {id!r} is unknown: {self.name} has asked {self.asked} so far."
            )
        if (
            self.capabilities.uses_residuals
            and evaluation.failure is None
            and evaluation.residuals is None
        ):
            raise OptimizerError(
                f"{self.name} learns from residuals and candidate {id} came without: "
                "choose an objective that gives them, or a search that needs only the loss."
            )


class ReplayedOptimizer(Optimizer):
    """An optimizer of a library whose state cannot be saved: its history is, and is replayed.

    The history is what was asked and told, without vectors: a few bytes per evaluation. Loading
    costs the optimizer's own time of the whole search so far.
    """

    def __init__(
        self, dimension: int, rng: np.random.Generator, *, budget: int | None = None
    ) -> None:
        super().__init__(dimension, rng, budget=budget)
        self._first_rng = states.plain(rng.bit_generator.state)
        self._history: list[list[Any]] = []

    @abstractmethod
    def _start(self) -> None:
        """Make the library's optimizer from ``self.rng``: at first, and before a replay."""

    def ask(self, n: int | None = None) -> list[Candidate]:
        candidates = super().ask(n)
        self._history.append(["ask", len(candidates)])
        return candidates

    def tell(self, candidates: Sequence[Candidate], evaluations: Sequence[Evaluation]) -> None:
        super().tell(candidates, evaluations)
        if candidates:
            self._history.append(
                ["tell", [c.id for c in candidates], [e.loss for e in evaluations]]
            )

    def state_dict(self) -> dict[str, Any]:
        return {
            "format": STATE_FORMAT,
            "name": self.name,
            "dimension": self.dimension,
            "rng": states.plain(self._first_rng),
            "history": states.plain(self._history),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        empty = {"asked": 0, "told": 0, "pending": {}, "best": None, "algorithm": {}}
        super().load_state_dict({**empty, **state})
        self._first_rng, self._history = states.plain(state["rng"]), []
        self._start()
        pending: dict[int, Candidate] = {}
        for action, what, *losses in state["history"]:
            if action == "ask":
                pending.update((c.id, c) for c in self.ask(what))
            else:
                self.tell(
                    [pending.pop(i) for i in what],
                    [
                        Evaluation.failed("replayed") if loss is None else Evaluation(loss)
                        for loss in losses[0]
                    ],
                )


def succeeded(
    candidates: list[Candidate], evaluations: list[Evaluation]
) -> list[tuple[Candidate, float]]:
    """The candidates that have a loss, with it, in the order told."""
    return [
        (candidate, evaluation.loss)
        for candidate, evaluation in zip(candidates, evaluations, strict=True)
        if evaluation.loss is not None
    ]


def positive(what: str, value: int) -> int:
    """``value`` as an int of at least 1."""
    try:
        number = operator.index(value)
    except TypeError:
        number = 0
    if number < 1:
        raise OptimizerError(f"{what} must be a whole number of at least 1, not {value!r}.")
    return number


def between(what: str, value: float, low: float, high: float = math.inf) -> float:
    """``value`` as a float with ``low < value <= high``."""
    if not low < value <= high:
        upper = "" if high == math.inf else f" and at most {high:g}"
        raise OptimizerError(f"{what} must be above {low:g}{upper}, not {value!r}.")
    return float(value)
