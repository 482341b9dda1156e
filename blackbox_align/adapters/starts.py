"""Where a search starts: the soft prompt at z = 0."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ..errors import SpecificationError

INITIALIZATIONS = ("zeros", "vocabulary", "text")


class Embedding(Protocol):
    """What is needed of a model: its vocabulary, embedded."""

    @property
    def embedding_width(self) -> int: ...

    def embed(self, token_ids: object) -> np.ndarray: ...


def zeros(model: Embedding, tokens: int) -> np.ndarray:
    """(tokens, D) zeros: no direction is preferred."""
    return np.zeros((tokens, model.embedding_width), np.float32)


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
