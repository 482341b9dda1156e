"""The one loop, where it stands, and the functions of one's own that it minimises."""

from __future__ import annotations

import numpy as np
import pytest

import blackbox_align as bba
from blackbox_align.errors import OptimizerError, RunError, SpecificationError
from blackbox_align.fitting import Specification, Stopping
from blackbox_align.fitting.search import Batch, Standing, search
from blackbox_align.fitting.warm_start import refuse_other_prompts
from blackbox_align.optimizers import Evaluation, create
from tests.fitting.test_record import record  # noqa: F401

TARGET = np.array([1.0, -2.0, 3.0])


def residuals(vectors: np.ndarray) -> np.ndarray:
    return vectors - TARGET


def test_what_was_reached_when_is_counted_to_the_evaluation():
    """The first evaluation at the target loss counts, from 1, for every population by itself."""
    standing = Standing(2, 1, Stopping(target_loss=0.5))
    vectors = np.arange(4.0)[:, None]
    standing.keep(vectors, np.array([[3.0, 2.0, 0.5, 0.1], [9.0, np.nan, 8.0, 7.0]]))
    assert standing.reached_after.tolist() == [3, 0] and standing.told == 4
    np.testing.assert_array_equal(standing.best, [0.1, 7.0])
    np.testing.assert_array_equal(standing.vectors[:, 0], [3.0, 3.0])
    standing.keep(vectors + 4, np.array([[0.01, 1.0, 1.0, 1.0], [0.4, 0.3, 0.3, 9.0]]))
    assert standing.reached_after.tolist() == [3, 5], "the first time counts"
    np.testing.assert_array_equal(standing.vectors[:, 0], [4.0, 5.0])
    assert standing.worst == 0.3


def test_patience_counts_from_the_evaluation_that_was_better():
    """So many evaluations without a gain end the search, not one less."""
    searcher = create("random", 1, np.random.default_rng(0))
    for gain, better, ends in ((0.0, 0.99, False), (0.05, 0.99, True), (0.05, 0.9, False)):
        standing = Standing(1, 1, Stopping(target_loss=0.0, patience=4, gain=gain))
        standing.keep(np.zeros((2, 1)), np.array([[1.0, 5.0]]))
        standing.keep(np.zeros((2, 1)), np.array([[better, 5.0]]))
        standing.keep(np.zeros((1, 1)), np.array([[5.0]]))
        assert bool(standing.reason(searcher, 0.0)) == ends
        standing.keep(np.zeros((2, 1)), np.array([[5.0, 5.0]]))
        assert "no improvement" in str(standing.reason(searcher, 0.0))


def test_patience_counts_from_where_in_its_batch_the_better_one_stood():
    """Of a batch of three whose last one was better, no evaluation was in vain."""
    standing = Standing(1, 1, Stopping(target_loss=0.0, patience=3))
    standing.keep(np.zeros((3, 1)), np.array([[5.0, 5.0, 1.0]]))
    searcher = create("random", 1, np.random.default_rng(0))
    standing.keep(np.zeros((2, 1)), np.array([[5.0, 5.0]]))
    assert standing.reason(searcher, 0.0) is None
    standing.keep(np.zeros((1, 1)), np.array([[5.0]]))
    assert "no improvement in 3" in str(standing.reason(searcher, 0.0))


def test_what_was_evaluated_elsewhere_is_kept_and_not_counted():
    """Its best vector stands; it is no evaluation of this search."""
    standing = Standing(1, 1, Stopping(target_loss=0.5))
    standing.keep(np.array([[7.0]]), np.array([[0.7]]), told=False)
    assert standing.told == 0 and standing.best[0] == 0.7 and standing.vectors[0, 0] == 7.0
    standing.keep(np.array([[1.0], [2.0]]), np.array([[0.9, 0.4]]))
    assert standing.reached_after[0] == 2


def test_a_batch_is_noted_before_the_optimizer_hears_of_it():
    """What is on disk when a process is killed is never less than what the search knew."""
    searcher, order = create("random", 3, np.random.default_rng(0)), []
    tell = searcher.tell
    searcher.tell = lambda *told: (order.append("tell"), tell(*told))[1]
    reason = search(
        lambda vectors, first: Batch(
            vectors, np.ones((1, len(vectors))), [Evaluation(1.0)] * len(vectors)
        ),
        searcher,
        Standing(1, 3, Stopping(budget=20, target_loss=0.0)),
        on_batch=lambda batch: order.append(len(batch.vectors)),
        on_told=lambda: order.append("told"),
    )
    assert order == [16, "tell", "told", 4, "tell", "told"]
    assert reason == "the budget of 20 evaluations is spent"


def test_three_batches_that_all_fail_end_a_search():
    """A success in between starts the count again."""

    def failing(good: int):
        calls = []

        def function(vectors):
            calls.append(1)
            return np.full(len(vectors), 1.0 if len(calls) == good else np.nan)

        return function, calls

    function, calls = failing(0)
    with pytest.raises(RunError, match="The last 3 batches all failed: the function gives no"):
        bba.minimize(function, 3, optimizer="random")
    assert len(calls) == 3
    function, calls = failing(2)
    with pytest.raises(RunError):
        bba.minimize(function, 3, optimizer="random")
    assert len(calls) == 5


def test_the_failure_that_is_told_is_the_last_one():
    """Of several reasons that of the last candidate of the last batch."""
    searcher, batches = create("random", 1, np.random.default_rng(0)), []

    def evaluate(vectors, first):
        batches.append(1)
        failed = [Evaluation.failed(f"{len(batches)}.{n}") for n in range(len(vectors))]
        return Batch(vectors, np.full((1, len(vectors)), np.nan), failed)

    with pytest.raises(RunError, match=r"batches all failed: 3\.15\. Nothing"):
        search(evaluate, searcher, Standing(1, 1, Stopping(target_loss=0.0)))


@pytest.mark.parametrize(
    ("optimizer", "function"),
    [("gauss-newton", residuals), ("cma", residuals),
     ("cma-diagonal", lambda v: np.abs(residuals(v)).mean(axis=1))],
)  # fmt: skip
def test_a_function_of_one_s_own_is_minimised(optimizer, function):
    """Residuals serve every search, losses those that see nothing else; the best vector comes back."""
    settings = {"optimizer": optimizer, "budget": 900, "target_loss": 0.01}
    found = bba.minimize(function, 3, **settings)
    assert found.loss <= 0.01 and found.reason == "the error reached 0.01"
    assert found.loss == pytest.approx(np.abs(found.vector - TARGET).mean())
    assert found.evaluations == len(found.losses) and found.loss == found.losses.min()
    again = bba.minimize(function, 3, seed=np.random.default_rng(0), **settings)
    np.testing.assert_array_equal(again.losses, found.losses)


def test_what_a_function_must_give_is_said():
    """Another shape, and losses where residuals are needed."""
    with pytest.raises(
        SpecificationError, match=r"must give 5 losses.*not an array of shape \(3,\)"
    ):
        bba.minimize(lambda vectors: np.zeros(3), 3)
    with pytest.raises(OptimizerError, match="gauss-newton learns from residuals"):
        bba.minimize(lambda vectors: np.ones(len(vectors)), 3)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"tokens": 3}, "--tokens"),
        ({"placement": "last"}, "--placement"),
        ({"objective": "indices+opinions", "seed": 1}, "--objective, --held-out, --seed"),
    ],
)
def test_answers_to_other_prompts_are_no_start(changed, named, record):  # noqa: F811
    """Prompts of another length or place, or asked something else, say nothing; other words to start from,
    another seed, scale or subspace are no obstacle."""
    now = Specification("USA", **{"held_out": 0.3, **changed})
    with pytest.raises(SpecificationError, match=rf"searched other prompts \(other {named}\)"):
        refuse_other_prompts(record, now, record.facts)
    for other in ({"seed": 3}, {"init": "zeros"}, {"alpha": 0.5}, {"subspace": 7}):
        refuse_other_prompts(record, Specification("USA", **other), record.facts)
