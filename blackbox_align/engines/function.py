"""An evaluator made of a plain function: for tests, and for models that live elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..surveys import Survey


@dataclass(frozen=True)
class FunctionEvaluator:
    """Answers with ``function(soft_prompts, survey)``; see :class:`.base.Evaluator` for the shapes."""

    function: Callable[[np.ndarray, Survey], np.ndarray]

    def answer(self, soft_prompts: np.ndarray, survey: Survey) -> np.ndarray:
        return np.asarray(self.function(soft_prompts, survey), dtype=np.float32)
