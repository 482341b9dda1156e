"""The seam as it was: soft prompts and a survey in, an array out. Goes with its last caller."""

from __future__ import annotations

import numpy as np

from ...adapters.adapter import Adapter, SoftPrompt, check_placement
from ...surveys import Survey
from ...surveys.sheet import asked, sheet
from ..checkpoint import LanguageModel
from .engine import LocalEngine


class InProcessEvaluator:
    """A :class:`.engine.LocalEngine` behind the old seam."""

    def __init__(
        self, model: LanguageModel, *, placement: str = "first", batch_size: int | None = None
    ) -> None:
        self.placement = check_placement(placement)
        self.model, self.engine = model, LocalEngine(model, batch_size)

    def answer(self, soft_prompts: np.ndarray, survey: Survey) -> np.ndarray:
        prompts = np.asarray(soft_prompts, np.float32)
        adapters = [
            Adapter(prompt=SoftPrompt(vectors, self.placement)) if len(vectors) else Adapter()
            for vectors in prompts
        ]
        given = self.engine.answer(adapters, sheet(survey)).probabilities
        answers = np.zeros((len(prompts), len(survey.items), survey.width), np.float32)
        for column, (item, _) in enumerate(asked(survey, "1")):
            answers[:, item] = given[:, column]
        return answers

    def candidates_per_pass(self, tokens: int, survey: Survey) -> int:
        return self.engine.candidates_per_pass(tokens, self.placement, sheet(survey))
