"""Embedders: texts to vectors. Any function of texts that gives (texts, D) is one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import MissingDependencyError, ModelError
from .by_text import Embedder

SENTENCE_MODEL = "sentence-transformers/all-MiniLM-L6-v2"


def sentence_model(name_or_folder: str | Path = SENTENCE_MODEL) -> Embedder:
    """The embedder of a sentence model, by its name on the Hugging Face hub or its folder.

    It runs on the CPU in float32, so that the same texts give the same vectors. Needs the extra
    ``routing``.

    Raises
    ------
    MissingDependencyError
        sentence-transformers is not installed.
    ModelError
        There is no such model, here or at the hub.
    """
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError:
        raise MissingDependencyError("sentence-transformers", "A sentence model") from None
    try:
        model = SentenceTransformer(str(name_or_folder), device="cpu")
    except (OSError, ValueError) as error:
        raise ModelError(
            f"The sentence model {str(name_or_folder)!r} cannot be loaded ({error}); give the name of "
            f"one at the hub, such as {SENTENCE_MODEL!r}, or a folder."
        ) from None

    def embed(texts: Sequence[str]) -> np.ndarray:
        return np.asarray(model.encode(list(texts), show_progress_bar=False), np.float64)

    return embed
