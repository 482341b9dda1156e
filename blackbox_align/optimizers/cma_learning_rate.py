"""LRA-CMA-ES through the package ``cmaes``: CMA-ES that slows its learning where the loss is noisy.

Nomura, Akimoto & Ono 2023, "CMA-ES with Learning Rate Adaptation".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from blackbox_align.errors import MissingDependencyError
from blackbox_align.optimizers.base import between, positive
from blackbox_align.optimizers.generations import GenerationalOptimizer, check_full_covariance


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
        self.population = None if population is None else positive("population", population)
        self.sigma0 = between("sigma", sigma, 0.0)
        self._start()

    def _start(self) -> None:
        super()._start()
        try:
            from cmaes import CMA
        except ImportError as error:
            raise MissingDependencyError("cmaes", "CMA-ES with learning-rate adaptation") from error
        self.es = CMA(
            mean=np.zeros(self.dimension),
            sigma=self.sigma0,
            population_size=self.population,
            seed=int(self.rng.integers(2**32)),
            lr_adapt=True,
        )

    @property
    def generation_size(self) -> int:
        return self.es.population_size

    def _sample(self, n: int) -> Sequence[np.ndarray]:
        return [self.es.ask() for _ in range(n)]

    def _update(self, generation: list[tuple[np.ndarray, float]]) -> None:
        self.es.tell(generation)

    def _shrink(self) -> None:
        self.es._sigma /= 2

    def _stop(self) -> dict[str, object]:
        return {"converged": True} if self.es.should_stop() else {}
