"""Derivatives by the vectors of soft prompts, exact, for those who measure what a search loses without."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ..base import Answers

Read = tuple[Tensor, Tensor, Tensor]
"""(rows, questions, labels) probabilities, and (rows, texts) divergence and surprise."""


@torch.enable_grad()
def pull(
    prompts: Tensor, cotangent: Answers, ask: Callable[[Tensor], Read], rows: int
) -> np.ndarray:
    """(P, tokens, D) float32: the derivative by ``prompts`` of <cotangent, answers>.

    Asked again, ``rows`` at a time, so that memory holds what leads to so many answers and no more.
    """
    parts = []
    for start in range(0, len(prompts), rows):
        some = prompts[start : start + rows].detach().clone().requires_grad_()
        wanted = (cotangent.probabilities, cotangent.divergence, cotangent.surprise)
        total = some.new_zeros((), dtype=torch.float32)
        for given, weight in zip(ask(some), wanted, strict=True):
            part = torch.as_tensor(np.nan_to_num(weight[start : start + rows]), device=some.device)
            if given.numel() and bool(part.any()):
                total = total + (given * part).sum()
        if not total.requires_grad:
            parts.append(torch.zeros_like(some))
            continue
        parts.append(torch.autograd.grad(total, some)[0])
    return torch.cat(parts).float().cpu().numpy() if parts else np.zeros(prompts.shape, np.float32)
