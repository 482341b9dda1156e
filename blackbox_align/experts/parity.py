"""What PEFT itself makes of an exported prompt: asked one question at a time, with nothing of ours but the
tokens.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from ..engines.adapted import import_for_peft
from ..engines.checkpoint import LanguageModel
from ..engines.local.questions import Tokenized


@torch.inference_mode()
def answer_through_peft(
    folder: Path, model: LanguageModel, questions: Sequence[Tokenized]
) -> np.ndarray:
    """(questions, width) float32: what PEFT makes of the adapter in ``folder``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PEFT remarks on configurations that it then fills in
        from peft import PeftModel

        import_for_peft()
        adapted = PeftModel.from_pretrained(model.model, str(folder))
    width = max(len(question.labels) for question in questions)
    answers = np.zeros((len(questions), width), np.float32)
    for row, question in zip(answers, questions, strict=True):
        ids = torch.tensor([question.context], device=model.device)
        last = adapted(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0, -1].float()
        labels = list(question.labels)
        row[: len(labels)] = last[labels].softmax(-1).cpu().numpy()
    return answers
