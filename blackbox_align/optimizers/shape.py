"""Random steps that lie as examples of vectors do.

What a model was trained on lies in few of its directions, and on a short way a random step that lies there
moves the answers most. So steps are drawn from a normal distribution with the examples' covariance, of the
same length on average as one that is alike in all directions.

>>> import numpy as np
>>> rng = np.random.default_rng(0)
>>> shape = Shape(rng.standard_normal((500, 2)) * [3.0, 1.0])
>>> drawn = shape.of(rng.standard_normal((1000, 4)))  # two blocks of two coordinates
>>> bool(2.5 < drawn[:, 2].std() / drawn[:, 3].std() < 3.5), bool(3.8 < (drawn**2).sum(axis=1).mean() < 4.2)
(True, True)
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from blackbox_align.optimizers.base import Array

LARGEST = (
    16.0  # of a direction's variance, in means: of some models' words one direction has most of it
)


class Shape:
    """The covariance of examples (m, width), which every block of ``width`` coordinates gets."""

    def __init__(self, examples: Array) -> None:
        self.examples = examples

    def of(self, noise: Array) -> Array:
        """Standard normal noise (n, dimension), shaped."""
        blocks = noise.reshape(-1, len(self._root)) @ self._root
        return np.asarray(blocks.reshape(noise.shape))

    @cached_property
    def _root(self) -> Array:
        """(width, width), the root of the covariance; found when it is first needed."""
        covariance = np.atleast_2d(np.cov(self.examples, rowvar=False))
        variances, axes = np.linalg.eigh(covariance)
        variances = np.clip(variances, 0.0, LARGEST * max(float(variances.mean()), 0.0))
        mean = float(variances.mean())
        if mean <= 0:  # examples that are all one
            return np.eye(len(covariance))
        return np.asarray((axes * np.sqrt(variances / mean)) @ axes.T)
