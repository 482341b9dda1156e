"""The contract's own parts: evaluations, counting, checks, and replay."""

from __future__ import annotations

import numpy as np
import pytest

from blackbox_align.errors import OptimizerError
from blackbox_align.optimizers import Candidate, Evaluation, create


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), -float("inf")])
def test_a_loss_is_finite(loss: float) -> None:
    """A loss that is not finite is refused: it is a failure, and says why."""
    with pytest.raises(OptimizerError, match="finite"):
        Evaluation(loss)


def test_an_evaluation_is_a_loss_or_a_failure() -> None:
    """Neither and both are refused; each alone has its status."""
    with pytest.raises(OptimizerError, match="needs a loss"):
        Evaluation()
    with pytest.raises(OptimizerError, match="no loss"):
        Evaluation(1.0, failure="worker lost")
    assert Evaluation(1.0).status == "ok"
    failed = Evaluation.failed("worker lost")
    assert (failed.status, failed.loss, failed.failure) == ("failed", None, "worker lost")


@pytest.mark.parametrize("residuals", [[], [1.0, float("nan")], [[1.0]]])
def test_residuals_are_a_finite_vector(residuals: list) -> None:
    """No residuals, missing ones and matrices are refused."""
    with pytest.raises(OptimizerError, match="vector"):
        Evaluation(1.0, np.array(residuals))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"dimension": 0}, "dimension"),
        ({"dimension": 2.5}, "dimension"),
        ({"budget": 0}, "budget"),
        ({"rng": np.random.RandomState(0)}, "default_rng"),
    ],
)
def test_wrong_arguments_are_refused_with_a_sentence(arguments: dict, message: str) -> None:
    """Dimension and budget are whole numbers of at least 1, the generator is a Generator."""
    given = {"dimension": 3, "rng": rng(), **arguments}
    with pytest.raises(OptimizerError, match=message):
        create("random", **given)


@pytest.mark.parametrize("n", [0, -1, 1.5, "3"])
def test_asking_for_no_number_of_candidates_is_refused(n: object) -> None:
    """ask(n) wants a whole number of at least 1."""
    with pytest.raises(OptimizerError, match="n must be"):
        create("random", 3, rng()).ask(n)  # type: ignore[arg-type]


def test_the_natural_batch_ends_at_the_budget() -> None:
    """ask() gives no more than the budget leaves, so that nothing is evaluated in vain."""
    optimizer = create("de", 3, rng(), budget=25)
    assert [len(optimizer.ask()) for _ in range(2)] == [20, 5]


def test_a_tell_is_taken_whole_or_not_at_all() -> None:
    """One wrong candidate, and none of the tell has happened."""
    optimizer = create("random", 3, rng())
    (candidate,) = optimizer.ask(1)
    with pytest.raises(OptimizerError):
        optimizer.tell([candidate, Candidate(7, np.zeros(3))], [Evaluation(1.0)] * 2)
    assert optimizer.told == 0
    with pytest.raises(OptimizerError, match="one evaluation per candidate"):
        optimizer.tell([candidate], [])
    optimizer.tell([candidate], [Evaluation(1.0)])
    assert optimizer.recommend().id == candidate.id


def test_the_recommendation_is_the_best_told() -> None:
    """The lowest loss wins, the first told where two are equal."""
    optimizer = create("random", 3, rng())
    candidates = optimizer.ask(3)
    optimizer.tell(candidates, [Evaluation(2.0), Evaluation(1.0), Evaluation(1.0)])
    assert optimizer.recommend().id == 1
    assert np.array_equal(optimizer.recommend().vector, candidates[1].vector)


def test_a_search_on_residuals_refuses_a_bare_loss() -> None:
    """An optimizer that needs residuals says so when it is told a loss alone."""
    optimizer = create("gauss-newton", 3, rng())
    with pytest.raises(OptimizerError, match="residuals"):
        optimizer.tell(optimizer.ask(1), [Evaluation(1.0)])
    assert optimizer.told == 0
