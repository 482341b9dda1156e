"""Where a search starts: the soft prompt at z = 0."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from ..errors import SpecificationError

INITIALIZATIONS = ("zeros", "vocabulary", "text")


class Embedding(Protocol):
    """What is needed of an engine: its vocabulary, embedded."""

    @property
    def info(self) -> Any: ...

    def embed(self, tokens: Any) -> np.ndarray: ...


def _blocks(model: Embedding) -> Iterator[np.ndarray]:
    """The embedded vocabulary, some thousand words at a time, (words, D) float64."""
    size = model.info.vocabulary
    for start in range(0, size, 4096):
        yield model.embed(range(start, min(start + 4096, size))).astype(np.float64)


def word_norm(model: Embedding) -> float:
    """The mean norm of an embedded word: how far a step may go that is as large as a word."""
    return float(np.mean([n for block in _blocks(model) for n in np.linalg.norm(block, axis=1)]))


def embedding_std(model: Embedding) -> float:
    """The standard deviation of all entries of the embedded vocabulary (BBT's scale, sec. 3.2)."""
    count, total, squares = 0, 0.0, 0.0
    for block in _blocks(model):
        count, total, squares = (
            count + block.size,
            total + block.sum(),
            squares + (block**2).sum(),
        )
    return float(np.sqrt(squares / count - (total / count) ** 2))


def zeros(model: Embedding, tokens: int) -> np.ndarray:
    """(tokens, D) zeros: no direction is preferred."""
    return np.zeros((tokens, model.info.width), np.float32)


def from_vocabulary(
    model: Embedding, tokens: int, vocabulary: int, rng: np.random.Generator
) -> np.ndarray:
    """(tokens, D): the embeddings of words drawn at random (Lester et al. 2021, sec. 2.2)."""
    return model.embed(rng.integers(0, vocabulary, size=tokens))


def from_text(model: Embedding, tokens: int, text_ids: list[int]) -> np.ndarray:
    """(tokens, D): the embeddings of a text, repeated or cut to the length of the prompt."""
    if not text_ids:
        raise SpecificationError("A prompt that starts from text needs a text that is not empty.")
    return model.embed(np.resize(text_ids, tokens))
