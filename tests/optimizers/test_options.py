"""Options of every optimizer: each value is taken and searched with, or refused in a sentence."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blackbox_align.errors import OptimizerError
from blackbox_align.optimizers import Evaluation, create, describe, names
from blackbox_align.optimizers.options import between, flag, one_of, positive, step
from blackbox_align.testing.optimizers import Quadratic

EVERY = [(name, option) for name in names() for option in describe(name).options]
VALUES = st.one_of(
    st.sampled_from(
        [float("nan"), float("inf"), -float("inf"), 0, -1, 1, 1e300, -1e300, 1e-300, 10**30, None, True,
         "yes", "nan", "", [], [1.0], {}, np.float64(0.5), np.int64(5), np.bool_(True), b"1", 1j]
    ),
    st.floats(),
    st.integers(-10, 40),
    st.text(max_size=3),
)  # fmt: skip


@pytest.mark.parametrize("name, option", EVERY)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(value=VALUES)
def test_a_value_is_searched_with_or_refused_in_a_sentence(
    name: str, option: str, value: Any
) -> None:
    """No value of any option ends in a foreign exception, a warning, or a vector that is no number."""
    problem = Quadratic(6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            optimizer = create(name, 6, np.random.default_rng(0), budget=60, **{option: value})
            for _ in range(3):
                candidates = optimizer.ask(15)
                assert all(np.isfinite(c.vector).all() for c in candidates)
                optimizer.tell(candidates, problem.of(candidates))
        except OptimizerError as error:
            assert str(error).endswith(".") and len(str(error)) < 300


def test_a_kalman_ensemble_has_two_members_or_more() -> None:
    """One member correlates with nothing: refused, with what is wanted."""
    with pytest.raises(OptimizerError, match="members must be a whole number of at least 2, not 1"):
        create("eki", 3, np.random.default_rng(0), members=1)


@pytest.mark.parametrize("loss", [1e101, -1e101])
def test_a_loss_whose_square_is_no_number_is_a_failure(loss: float) -> None:
    """Losses and residuals beyond 1e100 are refused, those at it are searched with."""
    with pytest.raises(OptimizerError, match="finite"):
        Evaluation(loss)
    with pytest.raises(OptimizerError, match="residuals"):
        Evaluation(1.0, np.array([loss]))
    assert Evaluation(loss / 10, np.array([loss / 10])).status == "ok"


def test_numbers_of_numpy_are_numbers() -> None:
    """What comes out of an array is taken for what it is; a bool or a string is no number."""
    assert positive("n", np.int64(3)) == 3 and between("x", np.float32(0.5), 0.0, 1.0) == 0.5
    assert flag("f", np.bool_(True)) is True and step("s", 2) == 2.0
    for refused in (True, "3", None, 2.5):
        with pytest.raises(OptimizerError, match="whole number"):
            positive("n", refused)
    for value in (True, "0.5", None, [0.5, 0.6], 0.0, 1.1, float("nan")):
        with pytest.raises(OptimizerError, match=r"x must be a number above 0 and at most 1, not"):
            between("x", value, 0.0, 1.0)
    with pytest.raises(OptimizerError, match="true or false, not 'yes'"):
        flag("f", "yes")
    with pytest.raises(OptimizerError, match="one of None, 'a'; not 'b'"):
        one_of("o", "b", (None, "a"))
    with pytest.raises(OptimizerError, match="at most 9, not 10"):
        positive("n", 10, high=9)
