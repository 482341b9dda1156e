"""The Pareto front of two losses."""

from __future__ import annotations

import numpy as np

from blackbox_align.statistics.pareto import pareto_front


def test_the_front_holds_what_nothing_else_betters():
    """A set worked by hand: dominated, equal and failed rows are not on the front."""
    losses = np.array(
        [
            [5.0, 1.0],  # on it: the smallest second loss
            [3.0, 3.0],  # on it
            [4.0, 3.0],  # the row above is smaller in the first loss and equal in the second
            [1.0, 9.0],  # on it: the smallest first loss
            [3.0, 3.0],  # the same as row 1, which came first
            [1.0, 9.5],  # as small as row 3 in the first loss, larger in the second
            [np.nan, 0.0],  # failed
            [2.0, 4.0],  # on it
        ]
    )
    assert pareto_front(losses) == [3, 7, 1, 0]


def test_no_success_has_no_front():
    """Failed rows alone give an empty front."""
    assert pareto_front(np.full((3, 2), np.nan)) == []
