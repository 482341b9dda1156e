"""From the next-token distributions of several voices to one token."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ..base import Sampling

Pool = Literal["linear", "log"]


def mixture(
    logits: np.ndarray, weights: np.ndarray, pool: Pool, temperature: float = 1.0
) -> np.ndarray:
    """(words,) log-probabilities of one text under (voices, words) logits, mixed by (voices,) weights.

    ``linear`` is the weighted mean of the distributions, ``log`` that of their logarithms, made whole
    again: the linear and the logarithmic opinion pool. All of it in the precision of the logits.
    """
    logs = _log_softmax(logits / logits.dtype.type(temperature))
    if len(logs) == 1:
        return np.asarray(logs[0])
    shares = (weights / weights.sum()).astype(logits.dtype)
    if pool == "log":
        return _log_softmax(shares @ logs)
    top = logs.max(0)
    return np.asarray(top + np.log(shares @ np.exp(logs - top)))


def draw(
    logits: np.ndarray,
    weights: np.ndarray,
    pool: Pool,
    sampling: Sampling,
    rng: np.random.Generator,
) -> tuple[int, float, tuple[tuple[int, float], ...]]:
    """A token, its log-probability in the mixture at temperature 1, and the likeliest in its place."""
    plain = mixture(logits, weights, pool)
    best = top(plain, sampling.logprobs)
    if sampling.temperature == 0:
        token = int(plain.argmax())
        return token, float(plain[token]), best
    warm = sampling.temperature
    logs = plain if warm == 1 else mixture(logits, weights, pool, warm)
    chances = np.exp(logs.astype(np.float64))
    if sampling.top_p < 1:
        order = np.argsort(-chances, kind="stable")
        before = np.cumsum(chances[order]) - chances[order]
        chances[order[before >= sampling.top_p]] = 0  # the most likely one always stays
    sums = np.cumsum(chances)
    token = int(np.searchsorted(sums, rng.random() * sums[-1], side="right"))
    token = min(token, int(np.flatnonzero(chances)[-1]))
    return token, float(plain[token]), best


def top(logs: np.ndarray, count: int) -> tuple[tuple[int, float], ...]:
    """The ``count`` likeliest tokens of (words,) log-probabilities, best first, the lower id where equal."""
    if not count:
        return ()
    count = min(count, len(logs))
    least = np.partition(logs, -count)[-count]
    likely = np.flatnonzero(logs >= least)
    likely = likely[np.argsort(-logs[likely], kind="stable")][:count]
    return tuple((int(token), float(logs[token])) for token in likely)


def _log_softmax(values: np.ndarray) -> np.ndarray:
    shifted = values - values.max(-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(-1, keepdims=True)))
