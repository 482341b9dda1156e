"""The seam as it was: soft prompts and a survey in, an array out. Goes with its last caller."""

from __future__ import annotations

import numpy as np

from ...adapters.adapter import Adapter, Placement, SoftPrompt, check_placement
from ...surveys import Survey
from ...surveys.sheet import asked, sheet
from ..base import Answers
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
        adapters = as_adapters(soft_prompts, self.placement)
        return by_item(self.engine.answer(adapters, sheet(survey)), survey)

    def candidates_per_pass(self, tokens: int, survey: Survey) -> int:
        return self.engine.candidates_per_pass(tokens, self.placement, sheet(survey))


def as_adapters(soft_prompts: np.ndarray, placement: Placement) -> list[Adapter]:
    """(P, tokens, D) prompts as adapters; without tokens the model as it is."""
    prompts = np.asarray(soft_prompts, np.float32)
    return [Adapter(prompt=SoftPrompt(p, placement)) if len(p) else Adapter() for p in prompts]


def by_item(given: Answers, survey: Survey) -> np.ndarray:
    """(P, items, width) in the order of the file."""
    answers = np.zeros((len(given), len(survey.items), survey.width), np.float32)
    for column, (item, _) in enumerate(asked(survey, "1")):
        answers[:, item] = given.probabilities[:, column]
    return answers
