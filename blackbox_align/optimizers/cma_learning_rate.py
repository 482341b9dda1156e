"""LRA-CMA-ES through the package ``cmaes``: CMA-ES that slows its learning where the loss is noisy.

>>> import numpy as np
>>> from blackbox_align.optimizers import Evaluation, create
>>> optimizer = create("cma-lra", dimension=4, rng=np.random.default_rng(0))
>>> noise = np.random.default_rng(1)
>>> while optimizer.told < 2000:
...     candidates = optimizer.ask()
...     losses = [((c.vector - 1) ** 2).sum() + noise.normal() for c in candidates]
...     optimizer.tell(candidates, [Evaluation(loss) for loss in losses])
>>> bool(abs(optimizer.recommend().vector - 1).max() < 1.0)
True

Nomura, Akimoto & Ono 2023, "CMA-ES with Learning Rate Adaptation"; its algorithm is the library's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from blackbox_align.errors import MissingDependencyError
from blackbox_align.optimizers.base import Array
from blackbox_align.optimizers.generations import (
    GenerationalOptimizer,
    Told,
    check_full_covariance,
)
from blackbox_align.optimizers.options import positive, step


class LearningRateCMAES(GenerationalOptimizer):
    """CMA-ES whose learning rates keep the signal-to-noise ratio of its updates constant.

    population  lambda; 4 + 3 ln(dimension) where None
    sigma       the first step size; the first mean is 0

    Failed evaluations: they are resampled, from the same distribution, until a generation is
    full. When as many as a generation fail in a row, sigma is halved.
    """

    name = "cma-lra"

    def __init__(
        self,
        dimension: int,
        rng: np.random.Generator,
        *,
        budget: int | None = None,
        population: int | None = None,
        sigma: float = 1.0,
    ) -> None:
        super().__init__(dimension, rng, budget=budget)
        check_full_covariance("LRA-CMA-ES", self.dimension)
        if population is not None:
            population = positive("population", population, low=4)
        sigma = step("sigma", sigma)
        try:
            from cmaes import CMA
        except ImportError as error:
            raise MissingDependencyError("cmaes", "CMA-ES with learning-rate adaptation") from error
        self.es = CMA(
            mean=np.zeros(self.dimension),
            sigma=sigma,
            population_size=population,
            seed=int(self.rng.integers(2**32)),
            lr_adapt=True,
        )

    @property
    def generation_size(self) -> int:
        return int(self.es.population_size)

    def _ask(self, ids: range) -> Sequence[Array]:
        return [self.es.ask() for _ in ids]

    def _update(self, generation: list[Told]) -> None:
        self.es.tell([(candidate.vector, loss) for candidate, loss in generation])

    def _shrink(self) -> None:
        self.es._sigma /= 2

    def _stop(self) -> dict[str, object]:
        return {"converged": True} if self.es.should_stop() else {}
