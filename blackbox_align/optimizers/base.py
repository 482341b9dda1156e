"""What every optimizer promises: ask, tell, stop, recommend, and to go on from a recorded past.

An optimizer proposes vectors in standardised coordinates: the search starts at ``z = 0`` and one
unit per coordinate is a natural first step. It is a function of its generator and of what it was
told: the same generator and the same tells give the same bits. So it needs no saved state: a search
goes on when a fresh optimizer is told again what was recorded (:meth:`Optimizer.replay`).

A new algorithm derives from :class:`Optimizer` and writes two hooks, ``_ask`` and ``_tell``. The
public methods around them count, check, and keep the best, so that no algorithm has to.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from blackbox_align.errors import OptimizerError
from blackbox_align.optimizers.options import positive

Array = NDArray[np.float64]

LARGEST = 1e100  # of a loss or a residual: the square of a larger one may not be a number


@dataclass(frozen=True, eq=False)
class Candidate:
    """A proposal: its number, counted up from 0, and its vector, ``(dimension,)`` float64."""

    id: int
    vector: Array


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What came back for one candidate: a loss, or the reason why there is none.

    The loss is what a search minimises: by it the best candidate is chosen, whatever else is told.
    ``residuals``, ``(m,)`` float64, are what the loss measures the size of, in whatever way (the
    mean of ``|residuals|`` for indices, about their root mean square for opinions); searches that
    need them model them, and step to where they are small. ``gradient``, ``(dimension,)`` float64,
    is the slope of the loss, or of a smooth function that is small where the loss is. A failure
    carries none of them: how an algorithm treats one is its own decision, and stated in its
    docstring.
    """

    loss: float | None = None
    residuals: Array | None = None
    gradient: Array | None = None
    failure: str | None = None

    def __post_init__(self) -> None:
        if self.failure is not None:
            if any(part is not None for part in (self.loss, self.residuals, self.gradient)):
                raise OptimizerError(
                    f"A failed evaluation ({self.failure!r}) has no loss, residuals or gradient."
                )
            return
        if self.loss is None:
            raise OptimizerError(
                "An evaluation needs a loss; Evaluation.failed(reason) says that there is none."
            )
        if not abs(self.loss) <= LARGEST:
            raise OptimizerError(
                f"A loss must be finite, not {self.loss}; report Evaluation.failed(reason) instead."
            )
        object.__setattr__(self, "loss", float(self.loss))
        for name in ("residuals", "gradient"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _vector(name, getattr(self, name)))

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
    uses_gradient     it needs the gradient of the loss
    exact_resume      one seed always gives the same bits, and so does a search that was replayed
    stochastic        it draws at random, so that another seed gives another search
    observes          it can start from evaluations made elsewhere
    uses_budget       ``budget`` shapes the search, so that another one gives other vectors
    """

    any_number: bool = True
    partial_tell: bool = True
    out_of_order_tell: bool = True
    uses_residuals: bool = False
    uses_gradient: bool = False
    exact_resume: bool = True
    observes: bool = False
    stochastic: bool = True
    uses_budget: bool = False


class Optimizer(ABC):
    """A search over vectors of ``dimension`` numbers.

    ``rng`` is the only source of randomness and belongs to the optimizer from here on. ``budget``
    is the number of evaluations that the caller means to spend, where known. The options of an
    algorithm are keyword arguments of its own ``__init__``.

    Raises :class:`~blackbox_align.errors.OptimizerError` on any use against the contract.
    """

    name: str
    """The registered name; the registry sets it on what it creates."""
    capabilities: Capabilities = Capabilities()

    def __init__(
        self, dimension: int, rng: np.random.Generator, *, budget: int | None = None
    ) -> None:
        self.dimension = positive("dimension", dimension, high=10**9)
        self.budget = None if budget is None else positive("budget", budget, high=10**12)
        if not isinstance(rng, np.random.Generator):
            raise OptimizerError(
                f"rng must be a numpy.random.Generator, not {type(rng).__name__}; "
                "numpy.random.default_rng(seed) makes one."
            )
        self.rng = rng
        self.asked = 0
        self.told = 0
        self._pending: dict[int, Array] = {}
        self._best: tuple[int, float, Array] | None = None

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
        self._check_lengths(len(candidates), evaluations)
        seen: set[int] = set()
        for candidate, evaluation in zip(candidates, evaluations, strict=True):
            self._check_told(candidate.id, seen)
            self._check_evaluation(f"candidate {candidate.id}", evaluation)
            seen.add(candidate.id)
        if not candidates:
            return
        # The vectors are taken from our own books: a caller may hold only the numbers.
        known = [Candidate(c.id, self._pending.pop(c.id)) for c in candidates]
        self.told += len(known)
        self._keep_best(known, evaluations)
        self._tell(known, evaluations)

    def replay(self, past: Iterable[tuple[ArrayLike, Sequence[Evaluation]]]) -> None:
        """Go on from a recorded search: ask again, put the recorded vectors in the books, tell.

        ``past`` holds, for every ask that was told, the vectors ``(P, dimension)`` that were
        evaluated and their P evaluations. On a fresh optimizer with the generator, the options and
        the ``observe`` of the recorded one, what follows has the same bits as an undisturbed
        search on the same machine. Anywhere else, or with another budget, the past is the same and
        the search goes on from it: nothing of it is computed anew or compared.
        """
        for recorded, evaluations in past:
            vectors = self._vectors(recorded)
            self._check_lengths(len(vectors), evaluations)
            candidates = [
                Candidate(c.id, vector)
                for c, vector in zip(self.ask(len(vectors)), vectors, strict=True)
            ]
            self._pending.update((c.id, c.vector) for c in candidates)
            self.tell(candidates, evaluations)

    def observe(self, vectors: ArrayLike, evaluations: Sequence[Evaluation]) -> None:
        """Learn from evaluations that were made elsewhere, before the first ask.

        ``vectors`` is ``(n, dimension)``. Raises OptimizerError where the algorithm cannot.
        """
        if not self.capabilities.observes:
            raise OptimizerError(
                f"{self.name} cannot start from earlier evaluations; gauss-newton can."
            )
        if self.asked:
            raise OptimizerError("Earlier evaluations are observed before the first ask.")
        rows, evaluations = self._vectors(vectors), list(evaluations)
        self._check_lengths(len(rows), evaluations)
        for row, evaluation in enumerate(evaluations):
            self._check_evaluation(f"observation {row}", evaluation)
        known = [Candidate(-1 - row, vector) for row, vector in enumerate(rows)]
        self._keep_best(known, evaluations)
        self._observe(known, evaluations)

    def offer(self, places: ArrayLike, examples: ArrayLike | None = None) -> None:
        """Before the first ask: vectors (n, dimension) that are as good to start from as 0, as far as
        anybody knows; and examples (m, width) of what a block of ``width`` coordinates may be, whose
        covariance random steps may follow. An algorithm that has no use for them starts at 0, and takes no
        direction for another."""
        if self.asked or self.told:
            raise OptimizerError("Places to start from are offered before the first ask.")
        blocks = None if examples is None else np.asarray(examples, dtype=np.float64)
        if blocks is not None:
            fits = blocks.ndim == 2 and blocks.shape[1] and not self.dimension % blocks.shape[1]
            if not fits or len(blocks) < 2 or not np.isfinite(blocks).all():
                raise OptimizerError(
                    "Examples must be two rows of finite numbers or more, of a width that divides "
                    f"{self.dimension}; not {blocks.shape}."
                )
        self._offer(self._vectors(places), blocks)

    def stop(self) -> dict[str, object]:
        """Why the search wants to end, ``{reason: value}``; empty while it wants to go on."""
        reasons = self._stop()
        if self.budget is not None and self.told >= self.budget:
            reasons["budget"] = self.told
        return reasons

    def recommend(self) -> Candidate:
        """The candidate to keep: the one of the lowest loss told, unless an algorithm knows that
        it was luck."""
        if self._best is None:
            raise OptimizerError(
                f"{self.name} has nothing to recommend: no evaluation has succeeded "
                f"({self.told} told)."
            )
        return Candidate(self._best[0], self._best[2].copy())

    # -- what algorithms write -------------------------------------------------------------------

    @abstractmethod
    def _ask(self, ids: range) -> Array | Sequence[Array]:
        """Vectors for the candidates ``ids``, ``(len(ids), dimension)``."""

    @abstractmethod
    def _tell(self, candidates: list[Candidate], evaluations: list[Evaluation]) -> None:
        """Learn from checked evaluations, in the order they were told.

        The vectors are those that were evaluated: in a replay, those recorded.
        """

    def _observe(self, candidates: list[Candidate], evaluations: list[Evaluation]) -> None:
        """Take earlier evaluations; for algorithms that have the capability ``observes``."""
        raise NotImplementedError

    def _offer(self, places: Array, examples: Array | None) -> None:
        """Take places to start from and examples; an algorithm that looks at several overrides it."""
        return

    def _stop(self) -> dict[str, object]:
        return {}

    # -- books and checks ------------------------------------------------------------------------

    def _natural(self) -> int:
        left = self.batch if self.budget is None else self.budget - self.asked
        return min(self.batch, left) if left > 0 else self.batch

    def _keep_best(self, candidates: list[Candidate], evaluations: list[Evaluation]) -> None:
        for candidate, loss in succeeded(candidates, evaluations):
            if self._best is None or loss < self._best[1]:
                self._best = (candidate.id, loss, np.array(candidate.vector))

    def _vectors(self, vectors: ArrayLike) -> Array:
        """A copy of vectors that came from elsewhere, ``(n, dimension)``, read-only."""
        rows = np.array(vectors, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != self.dimension:
            raise OptimizerError(
                f"Vectors must be (n, {self.dimension}), one row per evaluation; not {rows.shape}."
            )
        if not np.isfinite(rows).all():
            raise OptimizerError("Vectors must be finite numbers.")
        rows.setflags(write=False)
        return rows

    def _check_lengths(self, candidates: int, evaluations: Sequence[Evaluation]) -> None:
        if candidates != len(evaluations):
            raise OptimizerError(
                f"There must be one evaluation per candidate, not {len(evaluations)} "
                f"for {candidates}."
            )

    def _check_told(self, id: int, seen: Container[int]) -> None:
        if id not in self._pending or id in seen:
            known = isinstance(id, int) and 0 <= id < self.asked
            raise OptimizerError(
                f"Candidate {id} was told before; each candidate is told once."
                if known
                else f"Candidate {id!r} is unknown: {self.name} has asked {self.asked} so far."
            )

    def _check_evaluation(self, whose: str, evaluation: Evaluation) -> None:
        if evaluation.failure is not None:
            return
        if self.capabilities.uses_residuals and evaluation.residuals is None:
            raise OptimizerError(
                f"{self.name} learns from residuals and {whose} came without: "
                "choose an objective that gives them, or a search that needs only the loss."
            )
        if self.capabilities.uses_gradient and evaluation.gradient is None:
            raise OptimizerError(
                f"{self.name} follows gradients and {whose} came without: "
                "choose an engine that gives them, or a search that needs only the loss."
            )
        if evaluation.gradient is not None and len(evaluation.gradient) != self.dimension:
            raise OptimizerError(
                f"The gradient of {whose} has {len(evaluation.gradient)} entries, "
                f"where the search has {self.dimension} dimensions."
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


def _vector(name: str, values: ArrayLike) -> Array:
    """A read-only copy of ``values``, which must be a vector of finite numbers."""
    vector = np.array(values, dtype=np.float64)
    if vector.ndim != 1 or vector.size == 0 or not np.all(np.abs(vector) <= LARGEST):
        raise OptimizerError(
            f"The {name} must be a vector of at least one finite number; "
            "drop the missing ones, or report Evaluation.failed(reason)."
        )
    vector.setflags(write=False)
    return vector
