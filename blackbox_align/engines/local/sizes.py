"""How large a pass is: tokens that fit into memory, and numbers of candidates that come again."""

from __future__ import annotations

import torch
from torch import Tensor

from ...adapters.adapter import SoftPrompt
from ..checkpoint import LanguageModel
from .plan import Plan
from .shadow import bytes_per_token

# Tokens of one pass: enough to keep any device busy. Half of them, and half again, until they take
# no more than this share of the memory that is free: batches then are not of a new size in each run.
TOKENS_PER_PASS = 16_384
SHARE_OF_MEMORY = 0.8
# A survey longer than a pass is asked in rows of so many tokens, so that several candidates share one.
TOKENS_PER_PART = TOKENS_PER_PASS // 4


def tokens_per_pass(model: LanguageModel, room: float, each: int, beside: int) -> int:
    """Tokens of a pass whose candidates have ``each``, in ``room`` bytes."""
    at_once = TOKENS_PER_PASS
    while at_once > each and at_once * bytes_per_token(model, beside) > room:
        at_once //= 2
    return at_once


def tokens_of_a_candidate(plan: Plan, tokens: int, placement: str) -> tuple[int, int]:
    """Tokens of a candidate in the longest row, and how many others each of them sees."""
    parts = parts_of(plan)
    if placement == "last" and tokens > 0:
        return tokens * max(len(part.questions) for part in parts), plan.longest + tokens
    return tokens + max(len(part.tree(False).tokens) for part in parts), 0


def candidates_per_pass(
    model: LanguageModel, room: float, plan: Plan, tokens: int, placement: str
) -> int:
    """How many soft prompts of ``tokens`` go into one pass, in ``room`` bytes."""
    each, beside = tokens_of_a_candidate(plan, tokens, placement)
    return max(1, tokens_per_pass(model, room, each, beside) // each)


def tokens_in_all(plan: Plan, prompt: SoftPrompt | None) -> int:
    """Tokens that one more candidate adds to a pass: behind all questions, its own alone."""
    width = len(prompt.vectors) if prompt else 0
    if prompt and prompt.placement == "last":
        return width * len(plan.questions)
    return sum(width + len(part.tree(False).tokens) for part in parts_of(plan))


def parts_of(plan: Plan) -> list[Plan]:
    """The plan itself, or several of neighbouring questions where one row would be too long."""
    if len(plan.tree(False).tokens) <= TOKENS_PER_PASS:
        return [plan]
    return plan.parts(TOKENS_PER_PART)


def padded(candidates: int) -> int:
    """The next of a few numbers of candidates: 1, 2, 4, 6, 8, 12, 16, 24, 32, ...

    A GPU plans its kernels for every shape that it has not seen, and a compiler compiles.
    """
    size = 1
    while size < candidates:
        between = size + size // 2
        if size >= 4 and between >= candidates:
            return between
        size *= 2
    return size


def in_a_known_size(rows: Tensor) -> Tensor:
    """(candidates, ...) with the last one repeated up to the next of a few numbers."""
    more = padded(len(rows)) - len(rows)
    return torch.cat([rows, rows[-1:].expand(more, *rows.shape[1:])]) if more else rows
