"""Does PEFT answer with an exported prompt as our evaluator does?"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch

from ..evaluators.language_model import LanguageModel
from ..evaluators.questions import tokenize_survey
from ..surveys import Survey


@torch.inference_mode()
def answer_through_peft(folder: Path, model: LanguageModel, survey: Survey) -> np.ndarray:
    """(items, width) float32: what PEFT makes of the adapter in ``folder``, by its own plain means.

    One question at a time, whole sequences, no cache: nothing is shared with our evaluator but the
    model and the tokens.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PEFT remarks on configurations that it then fills in
        from peft import PeftModel

        adapted = PeftModel.from_pretrained(model.model, str(folder))
    answers = np.zeros((len(survey.items), survey.width), np.float32)
    for row, question in zip(answers, tokenize_survey(survey, model.tokenizer), strict=True):
        ids = torch.tensor([question.context], device=model.device)
        logits = adapted(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0, -1]
        chosen = logits[list(question.labels)].float().softmax(-1)
        row[: len(question.labels)] = chosen.cpu().numpy()
    return answers
