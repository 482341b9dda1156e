"""Whether two rows of a table differ: signs of whole blocks turned at random.

If two conditions were alike, their difference on a question might as well have the other sign. All that
belongs to one question (its orders of options, which were averaged, and its answers of several
populations) turns together, for it is no independent evidence: paired tests that count every prompt
alone find differences where there are none.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

_AT_ONCE = 1 << 22  # entries of one table of signs


def sign_flip_p(
    differences: Array,
    block: NDArray[Any],
    group: NDArray[Any],
    rng: np.random.Generator,
    draws: int = 1000,
) -> Array:
    """(columns,) two-sided p-values of the mean of (rows, columns) ``differences`` being 0.

    Parameters
    ----------
    block : (rows,) what turns together: the question of every row
    group : (rows,) the country of every row; the mean is taken per group, then over groups
    draws : random turns of all signs; p is (1 + those with a mean as far from 0) / (1 + draws), which is
        never 0 (Phipson and Smyth 2010)

    NaN rows are left out; a column without any other row is NaN.
    """
    blocks, where = np.unique(block, return_inverse=True)
    groups, which = np.unique(group, return_inverse=True)
    known = ~np.isnan(differences)
    weight = np.zeros((len(groups), differences.shape[1]))
    np.add.at(weight, which, known)
    there = (weight > 0).sum(0)
    share = 1 / np.maximum(weight, 1) / np.maximum(there, 1)
    parts = np.zeros((len(blocks), differences.shape[1]))
    np.add.at(parts, where, np.where(known, differences, 0.0) * share[which])
    observed = np.abs(parts.sum(0))
    least = observed * (1 - 1e-9)  # what differs by rounding is as far
    far = np.zeros(differences.shape[1])
    at_once = max(1, _AT_ONCE // max(1, len(blocks)))
    for start in range(0, draws, at_once):
        some = min(at_once, draws - start)
        signs = 2.0 * rng.integers(2, size=(some, len(blocks))) - 1
        far += (np.abs(signs @ parts) >= least).sum(0)
    return np.where(there > 0, (1 + far) / (1 + draws), np.nan)
