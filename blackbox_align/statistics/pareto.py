"""The Pareto front: what cannot be bettered in one loss without a price in another."""

from __future__ import annotations

import numpy as np


def pareto_front(losses: np.ndarray) -> list[int]:
    """The rows of (candidates, parts) losses that no other row dominates, by the first loss.

    A row dominates another if it is nowhere larger and somewhere smaller; of equal rows the first
    one stays. Rows with a NaN, which failed, are left out.
    """
    whole = [row for row in range(len(losses)) if np.isfinite(losses[row]).all()]
    front: list[int] = []
    for row in sorted(whole, key=lambda row: (*losses[row], row)):
        # Sorted, so that whatever dominates a row, or equals it, stands before it.
        if not any((losses[kept] <= losses[row]).all() for kept in front):
            front.append(row)
    return front
