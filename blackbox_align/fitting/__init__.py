"""Fitting: settings, the problem, the loop, its ends, and the record of a run."""

from .budget import Outlay
from .fit import Progress, fit
from .minimize import Minimum, minimize
from .run import Run, find_runs
from .specification import Specification
from .stopping import Stopping

__all__ = [
    "Minimum",
    "Outlay",
    "Progress",
    "Run",
    "Specification",
    "Stopping",
    "find_runs",
    "fit",
    "minimize",
]
