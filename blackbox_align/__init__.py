"""Gradient-free alignment of language models with the answers people give in surveys.

>>> import blackbox_align as bba
>>> run = bba.fit("SAU")
>>> run.table()

``fit`` evolves a soft prompt for a frozen model; ``Run`` is the directory it leaves behind. The
rooms of the house: surveys, countries, prompts, optimizers, evaluators, objectives, fitting,
experts.
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
    from .fitting import Run, find_runs, fit
    from .populations import countries, find_country, load_targets, target_sets
    from .surveys import Survey, load_survey

# Loaded when they are first asked for, so that the command line answers at once.
_HOMES = {
    "Expert": "experts",
    "Run": "fitting",
    "Survey": "surveys",
    "Workers": "engines",
    "countries": "populations",
    "find_country": "populations",
    "find_runs": "fitting",
    "fit": "fitting",
    "load_survey": "surveys",
    "load_targets": "populations",
    "read_expert": "experts",
    "score": "assessment",
    "target_sets": "populations",
}

__all__ = [
    "BlackboxAlignError",
    "Expert",
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
