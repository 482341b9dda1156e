"""The seam between the search and the model: whatever answers a survey under soft prompts."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ..surveys import Survey


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
