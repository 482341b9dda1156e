"""Gradient-free alignment of language models with the answers people give in surveys.

>>> import blackbox_align as bba
>>> run = bba.fit("SAU")
>>> run.table()

``fit`` evolves a soft prompt for a frozen model; ``Run`` is the directory it leaves behind; ``minimize``
is the same search on a function of one's own. What is named here and in ``testing`` is the public
surface.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import BlackboxAlignError
from .version import __version__

if TYPE_CHECKING:
    from .assessment import score
    from .engines import Workers
    from .experts import Expert, read_expert
    from .fitting import Minimum, Progress, Run, find_runs
    from .fitting.fit import fit
    from .fitting.minimize import minimize
    from .populations import countries, find_country, load_targets, target_sets
    from .surveys import Survey, load_survey

# Loaded when they are first asked for, so that the command line answers at once.
_HOMES = {
    "Expert": "experts",
    "Minimum": "fitting",
    "Progress": "fitting",
    "Run": "fitting",
    "Survey": "surveys",
    "Workers": "engines",
    "countries": "populations",
    "find_country": "populations",
    "find_runs": "fitting",
    "fit": "fitting",
    "load_survey": "surveys",
    "load_targets": "populations",
    "minimize": "fitting",
    "read_expert": "experts",
    "score": "assessment",
    "target_sets": "populations",
}

__all__ = [
    "BlackboxAlignError",
    "Expert",
    "Minimum",
    "Progress",
    "Run",
    "Survey",
    "Workers",
    "__version__",
    "countries",
    "find_country",
    "find_runs",
    "fit",
    "load_survey",
    "load_targets",
    "minimize",
    "read_expert",
    "score",
    "target_sets",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
