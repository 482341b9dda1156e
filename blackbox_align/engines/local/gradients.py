"""Derivatives by the vectors of soft prompts, exact, for those who measure what a search loses without."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..base import Answers

Read = tuple[Tensor, Tensor, Tensor]
"""(rows, questions, labels) probabilities, and (rows, texts) divergence and surprise."""
Pull = Callable[[Answers], np.ndarray]


@dataclass(frozen=True, eq=False)
class Group:
    """Candidates that can share a pass: their numbers, their ``prompts`` (P, tokens, D), how to ``ask`` with
    some of them, how many (``rows``) at once, and the updates of the model meanwhile.
    """

    members: list[int]
    prompts: Tensor
    ask: Callable[[Tensor], Read]
    rows: int
    under: Callable[[], AbstractContextManager[None]]

    @torch.enable_grad()
    def recorded(self) -> tuple[Answers, Pull]:
        """Answers, and what pulls derivatives back along the very pass that gave them."""
        some = self.prompts.detach().clone().requires_grad_()
        with self.under():
            given = self.ask(some)
        labels, divergence, surprise = (part.detach().float().cpu().numpy() for part in given)
        labels[~np.isfinite(labels).all(axis=(1, 2))] = np.nan
        answers = replace(
            Answers.of(labels, divergence.shape[1]), divergence=divergence, surprise=surprise
        )
        return answers, lambda cotangent: _along(some, given, cotangent).float().cpu().numpy()

    @torch.enable_grad()
    def asked_again(self, cotangent: Answers) -> np.ndarray:
        """(P, tokens, D) float32, ``rows`` at a time, so that memory holds what leads to so many answers
        and no more."""
        parts = []
        with self.under():
            for start in range(0, len(self.prompts), self.rows):
                here = slice(start, start + self.rows)
                some = self.prompts[here].detach().clone().requires_grad_()
                numbers = self.members[here]
                parts.append(_along(some, self.ask(some), _rows(cotangent, numbers)))
        return torch.cat(parts).float().cpu().numpy()


def pulled(groups: list[Group], answer: Callable[[], Answers]) -> tuple[Answers, Pull]:
    """Answers, and what pulls derivatives by them back to (P, tokens, D).

    What is one group and fits is asked once; anything else by ``answer``, and again for its gradient.
    """
    if len(groups) == 1 and len(groups[0].members) <= groups[0].rows:
        return groups[0].recorded()

    def pull(cotangent: Answers) -> np.ndarray:
        gradients: dict[int, np.ndarray] = {}
        for group in groups:
            gradients.update(zip(group.members, group.asked_again(cotangent), strict=True))
        return np.stack([gradients[number] for number in sorted(gradients)])

    return answer(), pull


def _rows(cotangent: Answers, numbers: list[int]) -> Answers:
    names = ("probabilities", "divergence", "surprise")
    return replace(cotangent, **{name: getattr(cotangent, name)[numbers] for name in names})


def _along(some: Tensor, given: Read, cotangent: Answers) -> Tensor:
    """The derivative by ``some`` prompts of <cotangent, what was given under them>."""
    total = some.new_zeros((), dtype=torch.float32)
    wanted = (cotangent.probabilities, cotangent.divergence, cotangent.surprise)
    for each, weight in zip(given, wanted, strict=True):
        part = torch.as_tensor(np.nan_to_num(weight), device=some.device)
        if each.numel() and bool(part.any()):
            # What is NaN where nothing is wanted must not reach the sum.
            total = total + torch.where(part == 0, 0.0, each * part).sum()
    if not total.requires_grad:
        return torch.zeros_like(some)
    with _in_order():
        [gradient] = torch.autograd.grad(total, some, retain_graph=True)
    return gradient


@contextmanager
def _in_order() -> Iterator[None]:
    """Sums of gradients in one order: several threads that add to one place as they come give other bits
    every time."""
    usual = torch.are_deterministic_algorithms_enabled()
    warned = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(usual, warn_only=warned)
