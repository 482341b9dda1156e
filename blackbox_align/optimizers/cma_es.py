"""CMA-ES through the package ``cma`` (Hansen's pycma), with restarts.

Restarts with an increasing population: IPOP (Auger & Hansen 2005); with two interlaced regimes:
BIPOP (Hansen 2009, "Benchmarking a BI-population CMA-ES on the BBOB-2009 function testbed").
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from blackbox_align.errors import MissingDependencyError, OptimizerError
from blackbox_align.optimizers.base import between, positive
from blackbox_align.optimizers.generations import GenerationalOptimizer, check_full_covariance

RESTARTS = (None, "ipop", "bipop")


class CMAES(GenerationalOptimizer):
    """Covariance Matrix Adaptation: samples of a normal distribution that learns its shape.

    diagonal    learn only the diagonal of the covariance (needed beyond some thousand dimensions)
    restarts    None, "ipop" or "bipop"
    population  lambda of the first run; 4 + 3 ln(dimension) where None
    sigma       the first step size; the first mean is 0, that of a restart N(0, sigma^2 I)

    Without restarts the search stops on pycma's own conditions. With restarts it goes on, and a
    run also ends when its medians stagnate for 120 + 30 dimension / lambda generations (Hansen
    2009), as pycma's own patience exceeds any budget in these dimensions.

    Failed evaluations: they are resampled, from the same distribution, until a generation is
    full; no loss is made up for them. When as many as a generation fail in a row, sigma is halved,
    which leads back to where evaluations succeeded.
    """

    name = "cma"

    def __init__(
        self,
        dimension: int,
        rng: np.random.Generator,
        *,
        budget: int | None = None,
        diagonal: bool = False,
        restarts: str | None = None,
        population: int | None = None,
        sigma: float = 1.0,
    ) -> None:
        super().__init__(dimension, rng, budget=budget)
        if restarts not in RESTARTS:
            raise OptimizerError(
                f"restarts must be one of {', '.join(map(repr, RESTARTS))}; not {restarts!r}."
            )
        if not diagonal:
            check_full_covariance("CMA-ES", self.dimension)
        self.diagonal, self.restarts = diagonal, restarts
        self.lambda_default = (
            4 + int(3 * math.log(self.dimension))
            if population is None
            else positive("population", population)
        )
        self.sigma0 = between("sigma", sigma, 0.0)
        self._start()

    def _start(self) -> None:
        super()._start()
        self.lambda_large = self.lambda_default
        # Evaluations spent in either regime of BIPOP; the first run belongs to neither.
        self.spent = {"first": 0, "large": 0, "small": 0}
        self.regime = "first"
        self._run(self.lambda_default, self.sigma0, np.zeros(self.dimension))

    def _run(self, population: int, sigma: float, mean: np.ndarray) -> None:
        cma = _import_cma()
        self.sampled = False
        options: dict[str, Any] = {
            "popsize": population,
            "CMA_diagonal": self.diagonal,
            "randn": lambda *shape: self.rng.standard_normal(shape),
            "seed": math.nan,  # leaves numpy's global generator alone
            "verbose": -9,
            "verb_log": 0,
            "signals_filename": None,
        }
        if self.restarts is not None:
            options["tolstagnation"] = 120 + int(30 * self.dimension / population)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.es = cma.CMAEvolutionStrategy(mean, sigma, options)

    @property
    def generation_size(self) -> int:
        return int(self.es.popsize)

    def _sample(self, n: int) -> Sequence[np.ndarray]:
        self.sampled = True
        vectors: list[np.ndarray] = self.es.ask(n)
        return vectors

    def _update(self, generation: list[tuple[np.ndarray, float]]) -> None:
        if not self.sampled:  # pycma insists on an ask between two tells
            self.es.ask(1)
        self.sampled = False
        # pycma may write into what it is told.
        self.es.tell([vector.copy() for vector, _ in generation], [loss for _, loss in generation])
        self.spent[self.regime] += len(generation)
        if self.restarts is not None and self.es.stop():
            self._restart()

    def _shrink(self) -> None:
        self.es.sigma /= 2

    def _stop(self) -> dict[str, object]:
        return {} if self.restarts is not None else dict(self.es.stop())

    def _restart(self) -> None:
        sigma = self.sigma0
        if self.restarts == "bipop" and self.spent["small"] < self.spent["large"]:
            self.regime = "small"
            # lambda_s = lambda_def (lambda_l / (2 lambda_def))^(U^2), sigma_s = sigma_0 10^(-2U)
            ratio = self.lambda_large / (2 * self.lambda_default)
            population = int(self.lambda_default * ratio ** (self.rng.random() ** 2))
            population = max(population, self.lambda_default)
            sigma *= 10 ** (-2 * self.rng.random())
        else:
            self.regime = "large"
            self.lambda_large *= 2
            population = self.lambda_large
        self._run(population, sigma, self.sigma0 * self.rng.standard_normal(self.dimension))


def _import_cma() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns when matplotlib is missing
        try:
            import cma
        except ImportError as error:
            raise MissingDependencyError("cma", "CMA-ES") from error
    return cma
