"""Every optimizer that nevergrad registers, by name: ``ng:TwoPointsDE``.

nevergrad's own randomness is seeded from our generator. Some of its optimizers, and even its
import, also draw from numpy's global generator: they do so from a private copy of that state, so
that they repeat with the seed and disturb nobody.

>>> import numpy as np
>>> from blackbox_align.optimizers import Evaluation, create
>>> optimizer = create("ng:TwoPointsDE", dimension=4, rng=np.random.default_rng(0), budget=2000)
>>> while not optimizer.stop():
...     candidates = optimizer.ask()
...     losses = [float(((c.vector - 1) ** 2).sum()) for c in candidates]
...     optimizer.tell(candidates, [Evaluation(loss) for loss in losses])
>>> bool(abs(optimizer.recommend().vector - 1).max() < 0.1)
True
"""

from __future__ import annotations

import math
import random
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, ClassVar

import numpy as np

from blackbox_align.errors import MissingDependencyError, OptimizerError, UnknownNameError
from blackbox_align.optimizers.base import Array, Candidate, Capabilities, Evaluation, Optimizer
from blackbox_align.optimizers.options import positive


class NevergradOptimizer(Optimizer):
    """An optimizer of nevergrad, in its standardised space: start at 0, unit steps.

    workers  how many candidates are evaluated at a time; some algorithms size themselves by it.
             Those that nevergrad runs one by one have 1, and refuse to be asked for more.

    Failed evaluations: an algorithm that takes parallel candidates is never told of them. One that
    goes candidate by candidate is told the worst loss so far; before there is any, the same vector
    is proposed again.
    """

    name = "ng"
    library_name: ClassVar[str]

    def __init__(
        self,
        dimension: int,
        rng: np.random.Generator,
        *,
        budget: int | None = None,
        workers: int | None = None,
    ) -> None:
        super().__init__(dimension, rng, budget=budget)
        self.sequential = not self.capabilities.any_number
        self.workers = positive(
            "workers", (1 if self.sequential else 16) if workers is None else workers
        )
        if self.sequential and self.workers > 1:
            raise OptimizerError(f"ng:{self.library_name} evaluates one candidate at a time.")
        ng = _nevergrad()
        self._legacy = np.random.RandomState(int(self.rng.integers(2**32)))
        self._python = random.Random(int(self.rng.integers(2**32))).getstate()
        parametrization = ng.p.Array(shape=(self.dimension,))
        parametrization.random_state = np.random.RandomState(int(self.rng.integers(2**32)))
        kind = ng.optimizers.registry[self.library_name]
        with self._private_state():
            self._optimizer = kind(
                parametrization=parametrization, budget=self.budget, num_workers=self.workers
            )
        self._proposed: dict[int, Any] = {}
        self._again: Any = None
        self._worst: float | None = None

    @property
    def batch(self) -> int:
        return self.workers

    def _ask(self, ids: range) -> Array:
        if self.sequential and (len(ids) > 1 or self._proposed):
            raise OptimizerError(
                f"ng:{self.library_name} evaluates one candidate at a time: tell it before the next "
                "ask, and ask for 1."
            )
        vectors = np.empty((len(ids), self.dimension))
        with self._private_state():
            for row, id in enumerate(ids):
                proposed, self._again = self._again, None
                if proposed is None:
                    proposed = self._optimizer.ask()
                self._proposed[id] = proposed
                vectors[row] = proposed.value
        return vectors

    def _tell(self, candidates: list[Candidate], evaluations: list[Evaluation]) -> None:
        with self._private_state():
            for candidate, evaluation in zip(candidates, evaluations, strict=True):
                proposed, loss = self._proposed.pop(candidate.id), evaluation.loss
                if not np.array_equal(proposed.value, candidate.vector):
                    self._put(proposed, candidate.vector)
                if loss is not None:
                    self._worst = loss if self._worst is None else max(loss, self._worst)
                elif not self.sequential:
                    continue
                elif self._worst is None:
                    self._again = proposed
                    continue
                self._optimizer.tell(proposed, self._worst if loss is None else loss)

    def _put(self, proposed: Any, recorded: Array) -> None:
        """Let nevergrad see the recorded vector in the place of the one that it proposed.

        It stays the same proposal, with its parents and what the algorithm has noted of it: a vector
        told from outside is refused by most algorithms. One that runs in a thread keeps its own.
        """
        del proposed.value  # what is derived from the vector
        origin = self._optimizer.parametrization
        proposed._internal_set_standardized_data(recorded, reference=origin)

    @contextmanager
    def _private_state(self) -> Iterator[None]:
        """numpy's and Python's global generators as this optimizer left them last time.

        Nor may a CMA-ES of nevergrad's take pycma's two-point step sizes, its choice from 300
        dimensions on: they want a generation asked once, and nevergrad asks anew before it has told.
        """
        numpy_state, python_state = np.random.get_state(), random.getstate()
        two_point_from = _pycma().TPA_dimension
        _pycma().TPA_dimension = math.inf
        np.random.set_state(self._legacy.get_state())
        random.setstate(self._python)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        except ImportError as error:
            raise MissingDependencyError(
                error.name or str(error), f"nevergrad's {self.library_name}"
            ) from error
        except Exception as error:
            # An algorithm in a thread of its own tells of its missing package in words only.
            package = re.search(r"No module named '(\w+)", str(error))
            if package:
                purpose = f"nevergrad's {self.library_name}"
                raise MissingDependencyError(package[1], purpose) from error
            raise OptimizerError(
                f"nevergrad's {self.library_name} failed: {type(error).__name__}: {error}"
            ) from error
        finally:
            self._legacy.set_state(np.random.get_state())
            self._python = random.getstate()
            np.random.set_state(numpy_state)
            random.setstate(python_state)
            _pycma().TPA_dimension = two_point_from


@cache
def _pycma() -> Any:
    """The module of pycma that nevergrad's CMA-ES comes from."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns when matplotlib is missing
        from cma import evolution_strategy
    return evolution_strategy


def nevergrad_names() -> list[str]:
    """The names in nevergrad's registry, sorted."""
    return sorted(_nevergrad().optimizers.registry)


@cache
def nevergrad_optimizer(library_name: str) -> type[NevergradOptimizer]:
    """The class for one name in nevergrad's registry, with what that algorithm can do."""
    registry = _nevergrad().optimizers.registry
    if library_name not in registry:
        raise UnknownNameError("nevergrad optimizer", library_name, registry)
    parallel = not registry[library_name].no_parallelization
    capabilities = Capabilities(
        any_number=parallel,
        partial_tell=parallel,
        out_of_order_tell=parallel,
        exact_resume=not _runs_in_a_thread(registry[library_name]),
        uses_budget=True,
    )
    return type(
        f"Nevergrad{library_name}",
        (NevergradOptimizer,),
        {
            "__doc__": f"nevergrad's {library_name}.\n\n{NevergradOptimizer.__doc__}",
            "library_name": library_name,
            "name": f"ng:{library_name}",
            "capabilities": capabilities,
        },
    )


def _runs_in_a_thread(kind: Any) -> bool:
    """Whether nevergrad runs a foreign algorithm beside ours, or has one that does among its parts.

    What such a thread draws, and when, depends on the clock: one seed does not always give the same
    bits.
    """
    if getattr(kind, "recast", False):
        return True
    parts = kind.config().values() if hasattr(kind, "config") and not isinstance(kind, type) else ()
    listed = [p for part in parts for p in (part if isinstance(part, (list, tuple)) else [part])]
    return any(_runs_in_a_thread(part) for part in listed if hasattr(part, "recast"))


@cache
def _nevergrad() -> Any:
    numpy_state = np.random.get_state()
    np.random.seed(0)  # some of its optimizers are drawn at random when it is imported
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import nevergrad
            from nevergrad.optimization import metamodel

        # Up to 1.0.12 it takes float() of arrays with one element, which numpy 2.4 refuses.
        metamodel.float = lambda x: np.asarray(x, dtype=np.float64).item()
    except ImportError as error:
        raise MissingDependencyError("nevergrad", "An optimizer 'ng:...'") from error
    finally:
        np.random.set_state(numpy_state)
    return nevergrad
