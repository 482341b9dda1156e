"""CMA-ES through the package ``cma`` (Hansen's pycma), with restarts.

>>> import numpy as np
>>> from blackbox_align.optimizers import Evaluation, create
>>> optimizer = create("cma", dimension=4, rng=np.random.default_rng(0))
>>> while not optimizer.stop():
...     candidates = optimizer.ask()
...     losses = [float(((c.vector - 1) ** 2).sum()) for c in candidates]
...     optimizer.tell(candidates, [Evaluation(loss) for loss in losses])
>>> bool(abs(optimizer.recommend().vector - 1).max() < 1e-4)
True

Restarts with an increasing population: IPOP (Auger & Hansen 2005); with two interlaced regimes:
BIPOP (Hansen 2009, "Benchmarking a BI-population CMA-ES on the BBOB-2009 function testbed"), whose
section 2 is cited below.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from blackbox_align.errors import MissingDependencyError
from blackbox_align.optimizers.base import Array, Candidate
from blackbox_align.optimizers.generations import (
    GenerationalOptimizer,
    Told,
    check_full_covariance,
)
from blackbox_align.optimizers.options import flag, one_of, positive, step

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

    From 300 dimensions on pycma sets the step size by comparing two candidates of a generation that
    lie on either side of the last move of its mean. A generation in which one of the two failed or
    came too late leaves the step size as it is.

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
        self.diagonal = flag("diagonal", diagonal)
        self.restarts = one_of("restarts", restarts, RESTARTS)
        if not self.diagonal:
            check_full_covariance("CMA-ES", self.dimension)
        self.lambda_default = (
            4 + int(3 * math.log(self.dimension))
            if population is None
            else positive("population", population, low=4)
        )
        self.sigma0 = step("sigma", sigma)
        self.lambda_large = self.lambda_default
        # Evaluations spent in either regime of BIPOP; the first run belongs to neither.
        self.spent = {"first": 0, "large": 0, "small": 0}
        self.regime = "first"
        self._run(self.lambda_default, self.sigma0, np.zeros(self.dimension))

    def _run(self, population: int, sigma: float, mean: Array) -> None:
        cma = _import_cma()
        options: dict[str, object] = {
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
        with _quietly():
            self.es = cma.CMAEvolutionStrategy(mean, sigma, options)
        # The check of two-point adaptation draws from numpy's global generator.
        self.es.adapt_sigma.check_consistency = lambda es: None
        self._queue: list[Array] | None = None  # what is left of this generation; None: not drawn
        self._mirrored: tuple[int, ...] = ()  # the two candidates that the step size is set by

    @property
    def generation_size(self) -> int:
        return int(self.es.popsize)

    def _ask(self, ids: range) -> Sequence[Array]:
        # pycma draws a generation whole, once, and any further candidates one by one.
        vectors = []
        for id in ids:
            if self._queue is None:
                self._draw_generation(id)
            vectors.append(self._queue.pop(0) if self._queue else self.es.ask(1)[0])
        return vectors

    def _draw_generation(self, first: int) -> None:
        self._generation_began = first
        with _quietly():
            self._queue = list(self.es.ask())
        self._mirrored = (first, first + 1) if self.es.mean_shift_samples else ()

    def _update(self, generation: list[Told]) -> None:
        if self._queue is None:  # pycma insists on an ask between two tells
            self._draw_generation(self.asked)
        # pycma looks for the two in the first places.
        generation = sorted(generation, key=lambda item: self._place(item[0].id))
        blind = not {candidate.id for candidate, _ in generation}.issuperset(self._mirrored)
        sigma, state = self.es.sigma, getattr(self.es.adapt_sigma, "s", None)
        vectors, losses = [self._fit_in(c) for c, _ in generation], [loss for _, loss in generation]
        with _quietly():
            self.es.tell(vectors, losses, check_points=False)
        if blind:
            self.es.sigma, self.es.adapt_sigma.s = sigma, state
        self._queue = None
        self.spent[self.regime] += len(generation)
        if self.restarts is not None and self.es.stop():
            self._restart()

    def _fit_in(self, candidate: Candidate) -> Array:
        """A copy of its vector, for pycma may write into it; one that comes a generation late is
        shortened to what the present distribution gives.

        pycma itself would shorten whatever is not its own to the last bit, as a vector that was
        recorded elsewhere may not be.
        """
        late = candidate.id < self._generation_began
        return np.asarray(
            self.es.repair_genotype(candidate.vector.copy()) if late else candidate.vector.copy()
        )

    def _place(self, id: int) -> int:
        return self._mirrored.index(id) if id in self._mirrored else len(self._mirrored)

    def _shrink(self) -> None:
        self.es.sigma /= 2
        if self._queue is not None:
            self._queue = []  # they were drawn with the step that failed

    def _stop(self) -> dict[str, object]:
        return {} if self.restarts is not None else dict(self.es.stop())

    def _restart(self) -> None:
        sigma = self.sigma0
        if self.restarts == "bipop" and self.spent["small"] < self.spent["large"]:
            self.regime = "small"
            # lambda_s = floor(lambda_default (lambda_l / (2 lambda_default))^(U[0, 1]^2))
            ratio = self.lambda_large / (2 * self.lambda_default)
            population = int(self.lambda_default * ratio ** (self.rng.random() ** 2))
            population = max(population, self.lambda_default)
            sigma *= 10 ** (-2 * self.rng.random())  # sigma_s = sigma_0 10^(-2 U[0, 1])
        else:
            self.regime = "large"
            self.lambda_large *= 2  # lambda_l = 2^restarts lambda_default
            population = self.lambda_large
        self._forget()
        self._run(population, sigma, self.sigma0 * self.rng.standard_normal(self.dimension))


def _import_cma() -> Any:
    with _quietly():  # it warns when matplotlib is missing
        try:
            import cma
        except ImportError as error:
            raise MissingDependencyError("cma", "CMA-ES") from error
    return cma


@contextmanager
def _quietly() -> Iterator[None]:
    """Without pycma's warnings, which speak of its own calls."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
