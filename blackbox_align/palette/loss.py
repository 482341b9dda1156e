"""The loss of alignment by preference: ORPO (Hong et al. 2024) on one chosen and K rejected answers.

    loss = -log p(y+ | x) - lambda * mean_k log sigmoid(r_k)
    r_k  = log odds(y+ | x) - log odds(y-_k | x)      contrast = "odds", as in ORPO
    r_k  = log p(y+ | x) - log p(y-_k | x)            contrast = "ratio", as Cultural Palette prints it

A probability is that of the answer alone, given the question, and by default its mean a token. The chosen
answer of K pairs is computed once, where a trainer of pairs computes it K times.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

Contrast = Literal["odds", "ratio"]
CONTRASTS = ("odds", "ratio")
NORMALISATIONS = ("mean", "sum")
_CERTAIN = -1e-6  # log p from which on an answer counts as certain: the odds of 1 are infinite


class Losses(NamedTuple):
    """Of a batch: the ``total``, the ``likelihood`` of what is chosen, and the ``contrast``."""

    total: Tensor
    likelihood: Tensor
    contrast: Tensor


def preference_loss(
    log_probabilities: Tensor, offered: Tensor, strength: float, contrast: str = "odds"
) -> Losses:
    """The mean loss of a batch of questions.

    Parameters
    ----------
    log_probabilities : (questions, 1 + K) log p of the answers, the chosen one first
    offered : (questions, 1 + K) bool: which rejected answers a question has; the first is not looked at
    strength : lambda; with 0 it is plain supervised fine-tuning
    contrast : one of :data:`CONTRASTS`
    """
    chosen, rejected = log_probabilities[:, :1], log_probabilities[:, 1:]
    likelihood = -chosen.mean()
    if contrast == "odds":
        ratio = _log_odds(chosen) - _log_odds(rejected)
    else:
        ratio = chosen - rejected
    there = offered[:, 1:]
    each = torch.where(there, -logsigmoid(ratio), 0.0).sum(1)
    term = (each / there.sum(1).clamp(min=1)).mean()
    return Losses(likelihood + strength * term, likelihood, term)


def _log_odds(log_probability: Tensor) -> Tensor:
    """log p - log(1 - p), finite and with a finite slope also where p is 1 in float."""
    at = log_probability.clamp(max=_CERTAIN)
    return at - torch.log(-torch.expm1(at))


def answer_log_probabilities(
    logits: Tensor, tokens: Tensor, answer: Tensor, normalise: str = "mean"
) -> Tensor:
    """(rows,) log p of the answers in rows of tokens.

    Parameters
    ----------
    logits : (rows, T, words)
    tokens : (rows, T)
    answer : (rows, T) bool: which tokens are of the answer
    normalise : ``mean`` a token, or their ``sum``
    """
    there = answer[:, 1:]
    each = -torch.nn.functional.cross_entropy(
        logits[:, :-1].float().transpose(1, 2), tokens[:, 1:], reduction="none"
    )
    total = torch.where(there, each, 0.0).sum(1)
    return total / there.sum(1).clamp(min=1) if normalise == "mean" else total
