"""Fitting: settings, the loop, its ends, and the run directory."""

from .fit import Progress, fit
from .run import Run, find_runs
from .specification import Specification
from .stopping import Stopping

__all__ = ["Progress", "Run", "Specification", "Stopping", "find_runs", "fit"]
