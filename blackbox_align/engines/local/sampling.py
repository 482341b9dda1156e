"""From the next-token distributions of several voices to one token."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ..base import Sampling


def mixture(
    logits: np.ndarray,
    weights: np.ndarray,
    pool: Literal["linear", "log"],
    temperature: float = 1.0,
) -> np.ndarray:
    """(words,) log-probabilities of one text under (voices, words) logits, mixed by (voices,) weights.

    ``linear`` is the weighted mean of the distributions, ``log`` that of their logarithms, made whole
    again: the linear and the logarithmic opinion pool.
    """
    logs = _log_softmax(logits.astype(np.float64) / temperature)
    if len(logs) == 1:
        return np.asarray(logs[0])
    shares = weights / weights.sum()
    if pool == "log":
        return _log_softmax((shares[:, None] * logs).sum(0))
    top = logs.max(0)
    return np.asarray(top + np.log((shares[:, None] * np.exp(logs - top)).sum(0)))


def draw(
    logits: np.ndarray,
    weights: np.ndarray,
    pool: Literal["linear", "log"],
    sampling: Sampling,
    rng: np.random.Generator,
) -> tuple[int, float]:
    """A token, and its log-probability in the mixture at temperature 1."""
    plain = mixture(logits, weights, pool)
    if sampling.temperature == 0:
        token = int(plain.argmax())
        return token, float(plain[token])
    logs = mixture(logits, weights, pool, sampling.temperature)
    chances = np.exp(logs)
    if sampling.top_p < 1:
        order = np.argsort(-chances, kind="stable")
        before = np.cumsum(chances[order]) - chances[order]
        chances[order[before >= sampling.top_p]] = 0  # the most likely one always stays
    token = int(np.searchsorted(np.cumsum(chances), rng.random() * chances.sum(), side="right"))
    token = min(token, int(np.flatnonzero(chances)[-1]))
    return token, float(plain[token])


def _log_softmax(values: np.ndarray) -> np.ndarray:
    shifted = values - values.max(-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(-1, keepdims=True)))
