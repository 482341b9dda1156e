"""The contract of :mod:`blackbox_align.optimizers` as a test class, for ours and for yours.

A plug-in's whole test file::

    from blackbox_align.testing.optimizers import OptimizerContract

    class TestMine(OptimizerContract):
        name = "mine"

Run it with pytest. ``options``, ``budget`` and ``dimension`` may be set beside ``name``; an
optimizer that is not registered overrides :meth:`OptimizerContract.create`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import pytest

from blackbox_align.errors import MissingDependencyError, OptimizerError
from blackbox_align.optimizers import Candidate, Evaluation, Optimizer, create


class Quadratic:
    """Residuals ``(z_i - c_i)^2``, whose mean is the loss: smooth, one minimum, loss 0 there.

    The gradient of the loss is told as well, for those that follow it.
    """

    def __init__(self, dimension: int) -> None:
        self.centre = np.linspace(-1.0, 1.0, dimension)

    def __call__(self, vector: np.ndarray) -> Evaluation:
        residuals = (vector - self.centre) ** 2
        if not np.isfinite(residuals.mean()):
            return Evaluation.failed("overflow")
        gradient = 2 * (vector - self.centre) / len(vector)
        return Evaluation(float(residuals.mean()), residuals, gradient)

    def of(self, candidates: Sequence[Candidate]) -> list[Evaluation]:
        return [self(candidate.vector) for candidate in candidates]


class OptimizerContract:
    """What must hold for every optimizer; a subclass says which one in ``name``."""

    name: ClassVar[str]
    options: ClassVar[dict[str, Any]] = {}
    dimension: ClassVar[int] = 8
    budget: ClassVar[int] = 600
    improvement: ClassVar[float] = 0.7
    """What share of the first losses' median a search must get below on the quadratic."""

    def create(self, seed: int = 1, budget: int | None = None) -> Optimizer:
        rng, budget = np.random.default_rng(seed), budget or self.budget
        try:
            return create(self.name, self.dimension, rng, budget=budget, **self.options)
        except MissingDependencyError as error:
            pytest.skip(str(error))

    def create_exact(self) -> Optimizer:
        """One that says that a seed always gives the same bits."""
        optimizer = self.create(1)
        if not optimizer.capabilities.exact_resume:
            pytest.skip("declared: one seed does not always give the same bits")
        return optimizer

    # -- asking and telling ----------------------------------------------------------------------

    def test_ids_count_up_from_zero_and_vectors_have_the_dimension(self) -> None:
        """Candidates are numbered 0, 1, 2 ... over all asks; vectors are finite float64."""
        optimizer = self.create()
        problem = Quadratic(self.dimension)
        ids: list[int] = []
        for _ in range(3):
            candidates = optimizer.ask()
            for candidate in candidates:
                assert candidate.vector.shape == (self.dimension,)
                assert candidate.vector.dtype == np.float64
                assert np.isfinite(candidate.vector).all()
            ids += [candidate.id for candidate in candidates]
            optimizer.tell(candidates, problem.of(candidates))
        assert ids == list(range(len(ids)))

    def test_any_number_is_given(self) -> None:
        """ask(n) gives n candidates, for n below and above the natural batch."""
        optimizer = self.create()
        if not optimizer.capabilities.any_number:
            pytest.skip("declared: natural batches only")
        problem = Quadratic(self.dimension)
        for n in (1, 3, 45, 2):
            candidates = optimizer.ask(n)
            assert len(candidates) == n
            optimizer.tell(candidates, problem.of(candidates))

    def test_a_quadratic_improves(self) -> None:
        """The recommendation after the budget is far better than the first candidates."""
        optimizer = self.create()
        problem = Quadratic(self.dimension)
        first = _run(optimizer, problem, 20)
        _run(optimizer, problem, self.budget)
        best = problem(optimizer.recommend().vector).loss
        losses = [e.loss for _, e in first if e.loss is not None]
        assert best is not None and best < self.improvement * float(np.median(losses))

    def test_the_told_loss_decides(self) -> None:
        """What is recommended is the lowest loss told, also where residuals measure another thing."""
        optimizer = self.create()
        weights = np.arange(1.0, self.dimension + 1.0) ** 2
        told: list[float] = []
        while len(told) < 60:
            candidates = optimizer.ask(1)
            evaluation = Quadratic(self.dimension)(candidates[0].vector)
            residuals = evaluation.residuals
            assert residuals is not None
            told.append(float(weights @ residuals))
            optimizer.tell(candidates, [Evaluation(told[-1], residuals, evaluation.gradient)])
        assert optimizer.recommend().id == int(np.argmin(told))

    def test_a_caller_cannot_change_what_was_asked(self) -> None:
        """Vectors are read-only: an evaluator that scribbles in one is told so."""
        candidate = self.create().ask(1)[0]
        with pytest.raises(ValueError):
            candidate.vector[0] = 1.0

    def test_some_candidates_are_never_told(self) -> None:
        """A partial tell is taken, and the search goes on without the rest."""
        optimizer = self.create()
        if not optimizer.capabilities.partial_tell:
            pytest.skip("declared: every candidate must be told")
        problem = Quadratic(self.dimension)
        for _ in range(8):
            candidates = optimizer.ask(10)[::2]
            optimizer.tell(candidates, problem.of(candidates))
        assert optimizer.told == 40
        optimizer.recommend()

    def test_tells_come_late_and_in_any_order(self) -> None:
        """Candidates of an earlier ask may be told after later ones, in any order."""
        optimizer = self.create()
        if not optimizer.capabilities.out_of_order_tell:
            pytest.skip("declared: tells must come in order")
        problem = Quadratic(self.dimension)
        late: list[Candidate] = []
        order = random.Random(3)
        for _ in range(12):
            late += optimizer.ask(6)
            order.shuffle(late)
            now, late = late[:5], late[5:]
            optimizer.tell(now, problem.of(now))
        optimizer.tell(late, problem.of(late))
        assert optimizer.told == optimizer.asked == 72

    def test_a_candidate_is_told_once(self) -> None:
        """A second tell of a candidate, and a doubled one within a tell, are refused."""
        optimizer = self.create()
        candidates = optimizer.ask(1)
        evaluations = Quadratic(self.dimension).of(candidates)
        with pytest.raises(OptimizerError, match="once"):
            optimizer.tell(candidates * 2, evaluations * 2)
        optimizer.tell(candidates, evaluations)
        with pytest.raises(OptimizerError, match="once"):
            optimizer.tell(candidates, evaluations)
        assert optimizer.told == 1

    def test_an_unknown_candidate_is_refused(self) -> None:
        """A candidate that was never asked is refused, and nothing of that tell is taken."""
        optimizer = self.create()
        candidates = optimizer.ask(1)
        stranger = Candidate(99, np.zeros(self.dimension))
        evaluation = Quadratic(self.dimension)(stranger.vector)
        with pytest.raises(OptimizerError, match="unknown"):
            optimizer.tell([*candidates, stranger], [evaluation, evaluation])
        assert optimizer.told == 0

    # -- failures --------------------------------------------------------------------------------

    def test_nothing_is_recommended_before_a_success(self) -> None:
        """recommend() raises until one evaluation has succeeded."""
        optimizer = self.create()
        with pytest.raises(OptimizerError, match="recommend"):
            optimizer.recommend()
        candidates = optimizer.ask(1)
        optimizer.tell(candidates, [Evaluation.failed("out of memory")])
        with pytest.raises(OptimizerError, match="recommend"):
            optimizer.recommend()

    def test_a_search_survives_when_all_fail_at_once(self) -> None:
        """Three batches that fail to the last candidate do not end or break the search."""
        optimizer = self.create()
        problem = Quadratic(self.dimension)
        for _ in range(3):
            candidates = optimizer.ask()
            optimizer.tell(candidates, [Evaluation.failed("worker lost")] * len(candidates))
        assert not optimizer.stop()
        losses = [
            e.loss
            for _, e in _run(optimizer, problem, optimizer.told + self.budget // 2)
            if e.loss is not None
        ]
        best = problem(optimizer.recommend().vector).loss
        assert best is not None and best <= min(losses)

    def test_failures_among_successes_do_no_harm(self) -> None:
        """With every third evaluation failing the quadratic still improves."""
        optimizer = self.create()
        problem = Quadratic(self.dimension)
        told = _run(optimizer, problem, self.budget, failing=3)
        losses = [e.loss for _, e in told if e.loss is not None]
        best = problem(optimizer.recommend().vector).loss
        assert best is not None and best < float(np.median(losses[:20]))

    def test_its_treatment_of_failures_is_stated(self) -> None:
        """The docstring says what the algorithm does about a failed evaluation."""
        assert "Failed evaluations:" in (type(self.create()).__doc__ or "")

    # -- seeds and resumption --------------------------------------------------------------------

    def test_the_same_seed_gives_the_same_bits(self) -> None:
        """Two optimizers with one seed and the same tells propose the same vectors."""
        problem = Quadratic(self.dimension)
        _same(self._trace(self.create_exact(), problem), self._trace(self.create_exact(), problem))

    def test_another_seed_gives_other_vectors(self) -> None:
        """Two seeds do not lead to the same vectors, unless nothing is drawn at random."""
        problem = Quadratic(self.dimension)
        one = self._trace(self.create_exact(), problem)
        two = self._trace(self.create(2), problem)
        differ = any(not np.array_equal(a, b) for a, b in zip(one, two, strict=False))
        assert differ == self.create().capabilities.stochastic

    def test_global_generators_are_neither_read_nor_written(self) -> None:
        """Stray draws from numpy's and Python's global generators change nothing, nor does it
        draw from them."""
        problem = Quadratic(self.dimension)
        quiet = self._trace(self.create(1), problem)
        np.random.seed(7)
        random.seed(7)
        before = (np.random.get_state()[1].copy(), random.getstate())  # type: ignore[index]
        again = self._trace(self.create(1), problem)
        after = (np.random.get_state()[1], random.getstate())  # type: ignore[index]
        assert np.array_equal(before[0], after[0]) and before[1] == after[1]
        if self.create(1).capabilities.exact_resume:
            _same(quiet, again)

    def test_a_killed_search_goes_on_from_its_record(self) -> None:
        """A fresh optimizer to which the record is replayed asks the same vectors from there."""
        problem = Quadratic(self.dimension)
        one, two = self.create_exact(), self.create_exact()
        past = _record(one, problem, 5)
        two.replay(past)
        assert (two.asked, two.told) == (one.asked, one.told)
        assert one.recommend().id == two.recommend().id
        assert np.array_equal(one.recommend().vector, two.recommend().vector)
        _same(self._trace(one, problem), self._trace(two, problem))

    def test_what_counts_in_a_replay_is_what_was_recorded(self) -> None:
        """Vectors that differ in the last digits from those asked are taken, and those of the record
        are kept and recommended; the search goes on near where the recorded one would."""
        problem = Quadratic(self.dimension)
        one, two = self.create_exact(), self.create_exact()
        past = [(vectors * (1 + 1e-12), told) for vectors, told in _record(one, problem, 5)]
        two.replay(past)
        recorded = np.concatenate([vectors for vectors, _ in past])
        assert any(np.array_equal(two.recommend().vector, row) for row in recorded)
        for ours, theirs in zip(two.ask(), one.ask(), strict=True):
            assert ours.vector == pytest.approx(theirs.vector, abs=1e-4)

    def test_a_record_of_other_vectors_is_the_past_all_the_same(self) -> None:
        """Vectors of another seed's search count as this one's past: the best of them is
        recommended, and the search goes on from there, and may have another budget."""
        problem = Quadratic(self.dimension)
        one, two = self.create(1), self.create(2, budget=2 * self.budget)
        past = _record(one, problem, 5)
        two.replay(past)
        assert two.told == one.told
        assert problem(two.recommend().vector).loss == problem(one.recommend().vector).loss
        self._trace(two, problem)

    def test_a_record_of_another_space_is_refused(self) -> None:
        """Recorded vectors of another dimension, or not finite, are refused with a sentence."""
        evaluation = Quadratic(self.dimension)(np.zeros(self.dimension))
        with pytest.raises(OptimizerError, match=str(self.dimension)):
            self.create().replay([(np.zeros((1, self.dimension + 1)), [evaluation])])
        with pytest.raises(OptimizerError, match="finite"):
            self.create().replay([(np.full((1, self.dimension), np.nan), [evaluation])])

    # -- ending ----------------------------------------------------------------------------------

    def test_the_budget_ends_the_search(self) -> None:
        """stop() names the budget once as many evaluations were told."""
        optimizer = self.create()
        problem = Quadratic(self.dimension)
        assert optimizer.stop() == {}
        _run(optimizer, problem, self.budget)
        assert optimizer.told >= self.budget and "budget" in optimizer.stop()

    def _trace(self, optimizer: Optimizer, problem: Quadratic) -> list[np.ndarray]:
        """The vectors of a search of several batches, one step of it with a failure."""
        vectors: list[np.ndarray] = []
        step = 0
        while step < 6 or len(vectors) < 30:
            step += 1
            candidates = optimizer.ask()
            evaluations = problem.of(candidates)
            if step == 2:
                evaluations[0] = Evaluation.failed("timeout")
            optimizer.tell(candidates, evaluations)
            vectors += [candidate.vector for candidate in candidates]
        return vectors


def _record(
    optimizer: Optimizer, problem: Quadratic, tells: int
) -> list[tuple[np.ndarray, list[Evaluation]]]:
    """What a run directory holds of a search of so many tells, a failure in the second."""
    past = []
    for number in range(tells):
        candidates = optimizer.ask()
        evaluations = problem.of(candidates)
        if number == 1:
            evaluations[0] = Evaluation.failed("timeout")
        optimizer.tell(candidates, evaluations)
        past.append((np.array([c.vector for c in candidates]), evaluations))
    return past


def _run(
    optimizer: Optimizer, problem: Quadratic, evaluations: int, failing: int = 0
) -> list[tuple[Candidate, Evaluation]]:
    """Ask and tell until ``evaluations`` were told in all; every ``failing``-th one fails."""
    history: list[tuple[Candidate, Evaluation]] = []
    while optimizer.told < evaluations:
        candidates = optimizer.ask()
        told = [
            Evaluation.failed("timeout") if failing and c.id % failing == 0 else problem(c.vector)
            for c in candidates
        ]
        optimizer.tell(candidates, told)
        history += zip(candidates, told, strict=True)
    return history


def _same(one: list[np.ndarray], two: list[np.ndarray]) -> None:
    assert len(one) == len(two)
    for number, (a, b) in enumerate(zip(one, two, strict=True)):
        assert np.array_equal(a, b), f"vector {number} differs by up to {np.abs(a - b).max()}"
