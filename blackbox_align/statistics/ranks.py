"""Orders: whether predicted figures rank as published ones do."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def kendall_tau(a: Array, b: Array) -> float:
    """Kendall's tau-b of two rankings, -1..1, pairs with a NaN left out; NaN for fewer than 3."""
    from scipy.stats import kendalltau  # half a second, for a figure that few tables have

    known = ~(np.isnan(a) | np.isnan(b))
    if known.sum() < 3:
        return float("nan")
    return float(kendalltau(np.asarray(a)[known], np.asarray(b)[known]).statistic)
