"""Does a plain way of asking answer with an exported prompt as our evaluator does?

One question at a time, whole sequences, no cache: nothing is shared with the evaluator but the
model and the tokens.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from ..engines.checkpoint import LanguageModel
from ..engines.local.questions import tokenize_survey
from ..surveys import Survey


def answer_through_peft(folder: Path, model: LanguageModel, survey: Survey) -> np.ndarray:
    """(items, width) float32: what PEFT makes of the adapter in ``folder``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PEFT remarks on configurations that it then fills in
        from peft import PeftModel

        adapted = PeftModel.from_pretrained(model.model, str(folder))

    def logits(ids: torch.Tensor) -> torch.Tensor:
        return adapted(input_ids=ids, attention_mask=torch.ones_like(ids)).logits

    return _one_by_one(logits, model, survey)[0]


def answer_plainly(
    soft_prompt: np.ndarray, model: LanguageModel, survey: Survey, placement: str = "first"
) -> tuple[np.ndarray, np.ndarray]:
    """(items, width) float32 answers, and (items,) the share of the next token that is any label."""
    embed = model.model.get_input_embeddings()
    prompt = torch.as_tensor(soft_prompt).to(model.device, model.dtype)[None]

    def logits(ids: torch.Tensor) -> torch.Tensor:
        parts = [prompt, embed(ids)]
        embeds = torch.cat(parts if placement == "first" else parts[::-1], dim=1)
        return model.model(inputs_embeds=embeds, use_cache=False).logits

    return _one_by_one(logits, model, survey)


@torch.inference_mode()
def _one_by_one(
    logits: Callable[[torch.Tensor], torch.Tensor], model: LanguageModel, survey: Survey
) -> tuple[np.ndarray, np.ndarray]:
    answers = np.zeros((len(survey.items), survey.width), np.float32)
    mass = np.zeros(len(survey.items), np.float32)
    for number, question in enumerate(tokenize_survey(survey, model.tokenizer)):
        last = logits(torch.tensor([question.context], device=model.device))[0, -1].float()
        labels = list(question.labels)
        answers[number, : len(labels)] = last[labels].softmax(-1).cpu().numpy()
        mass[number] = float(last.softmax(-1)[labels].sum())
    return answers, mass
