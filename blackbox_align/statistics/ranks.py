"""Orders: whether predicted figures rank as published ones do."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def kendall_tau(a: Array, b: Array) -> float:
    """Kendall's tau-b of two rankings, -1..1, pairs with a NaN left out; NaN for fewer than 3."""
    known = ~(np.isnan(a) | np.isnan(b))
    if known.sum() < 3:
        return float("nan")
    # scipy.stats has it, and takes a second to import, of the three to the first table of a fit.
    first, second = (
        np.sign(x[:, None] - x)[np.triu_indices(len(x), 1)]
        for x in (np.asarray(a, float)[known], np.asarray(b, float)[known])
    )
    untied = np.count_nonzero(first) * np.count_nonzero(second)
    return float(first @ second / np.sqrt(untied)) if untied else float("nan")
