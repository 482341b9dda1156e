"""The seam between the search and the model: whatever answers a survey under soft prompts."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ..errors import SpecificationError
from ..surveys import Survey

# Where a soft prompt stands: ``first`` is before everything, the BOS token included, exactly where
# PEFT puts it; ``last`` is right before the answer, so that the questions are computed once for all
# candidates, which PEFT cannot load.
PLACEMENTS = ("first", "last")
# The largest difference in a label's probability between two ways of computing the same: in half
# precision the order of the computation alone makes about this much.
PARITY = {"float32": 1e-4, "bfloat16": 5e-2, "float16": 1e-2}


def check_placement(placement: str) -> None:
    """Raise :class:`SpecificationError` unless it is one of :data:`PLACEMENTS`."""
    if placement not in PLACEMENTS:
        known = " or ".join(repr(name) for name in PLACEMENTS)
        raise SpecificationError(f"The placement must be {known}; not {placement!r}.")


class Evaluator(Protocol):
    """Asks a survey under soft prompts; knows no country and no objective.

    In-process models, worker pools and plain functions all have this one method and give the same
    numbers for the same model.
    """

    def answer(self, soft_prompts: np.ndarray, survey: Survey) -> np.ndarray:
        """Probabilities of the answer options.

        Parameters
        ----------
        soft_prompts : (candidates, tokens, D) float32; ``tokens`` may be 0, which is un-prompted

        Returns
        -------
        (candidates, items, survey.width) float32; each row sums to 1 over the item's options, zeros
        behind them. A candidate for which the model gave no finite number is NaN throughout.
        """
        ...
