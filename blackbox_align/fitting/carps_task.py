"""A fit as an objective function of CARP-S, which its configuration files name by this class."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from ..errors import MissingDependencyError
from .tasks import open_task

try:
    from carps.objective_functions.objective_function import ObjectiveFunction
    from carps.utils.trials import TrialInfo, TrialValue
    from ConfigSpace import ConfigurationSpace, Float
except ImportError:
    raise MissingDependencyError("carps", "A task of CARP-S") from None


class FitObjective(ObjectiveFunction):  # type: ignore[misc]
    """The loss of a fit, over as many numbers as its search has dimensions, each within ``bound`` of 0.

    Parameters
    ----------
    country, settings : as :func:`.tasks.open_task` takes them
    bound : in steps of the search; its optimizers start with about 1
    loggers : of CARP-S
    """

    def __init__(
        self, country: str, bound: float = 5.0, loggers: Any = None, **settings: Any
    ) -> None:
        super().__init__(loggers)
        self.task = open_task(country, **settings)
        names = [f"x{number:05}" for number in range(self.task.dimension)]
        floats = {name: Float(name, (-bound, bound), default=0.0) for name in names}
        self._configspace = ConfigurationSpace(space=floats)

    @property
    def configspace(self) -> ConfigurationSpace:
        return self._configspace

    def _evaluate(self, trial_info: TrialInfo) -> TrialValue:
        started = time.time()
        vector = np.array([trial_info.config[name] for name in self._configspace])
        loss = self.task(vector)
        ended = time.time()
        return TrialValue(cost=loss, time=ended - started, starttime=started, endtime=ended)
