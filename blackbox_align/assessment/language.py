"""What adapters do to a model's language: on texts that no search read, and in lines that are written."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..adapters import Adapter
from ..engines import Engine
from ..engines.base import Request, Sampling, write_all
from ..results.language import Language, Line
from ..surveys.neutral_texts import neutral_texts
from ..surveys.sheet import Question, Sheet

WRITTEN = (
    "Why is the sky blue?",
    "Write one sentence about a market.",
    "What does a thermometer do?",
)
_TOKENS = 24
_QUESTIONS = 6  # enough for a mean share of labels, asked one by one
_WORDS = 2048


def measure_language(
    engine: Engine, adapters: Sequence[Adapter], questions: Sequence[Question], weight: float = 0.0
) -> list[Language]:
    """For every adapter what it leaves of the language; none for an engine that reads no texts.

    ``questions`` are those of a questionnaire, some of which are asked for the share of labels; ``weight``
    is that of the language in the search.
    """
    if not adapters or "read" not in engine.info.can:
        return []
    texts = neutral_texts().held_out
    everyone = [Adapter(), *adapters]
    read = engine.answer(everyone, Sheet((), texts))
    some = tuple(questions[:: max(1, len(questions) // _QUESTIONS)][:_QUESTIONS])
    mass = engine.answer(everyone, Sheet(some), plainly=True).mass.mean(axis=1)
    surprise, divergence = read.surprise.mean(axis=1), read.divergence.mean(axis=1)
    word = word_length(engine)
    lines = _lines(engine, adapters)
    return [
        Language(
            len(texts),
            float(divergence[n]),
            float(surprise[n]),
            float(surprise[0]),
            _length(adapter) / word,
            float(mass[n]),
            float(mass[0]),
            weight,
            lines[n - 1],
        )
        for n, adapter in enumerate(adapters, start=1)
    ]


def word_length(engine: Engine) -> float:
    """The mean length of a word's embedding, over words spread through the vocabulary."""
    size = engine.info.vocabulary
    some = engine.embed(range(0, size, max(1, size // _WORDS)))
    return float(np.linalg.norm(some, axis=1).mean())


def _length(adapter: Adapter) -> float:
    if adapter.prompt is None:
        return float("nan")
    return float(np.linalg.norm(adapter.prompt.vectors, axis=1).mean())


def _lines(engine: Engine, adapters: Sequence[Adapter]) -> list[tuple[Line, ...]]:
    """What each of them writes, greedily, beside the model as it is."""
    if "submit" not in engine.info.can:
        return [()] * len(adapters)
    sampling = Sampling(max_tokens=_TOKENS)
    requests = [
        Request([{"role": "user", "content": asked}], sampling, ((adapter, 1.0),))
        for adapter in (Adapter(), *adapters)
        for asked in WRITTEN
    ]
    said = [" ".join(text.text.split()) for text in write_all(engine, requests)]
    plain, *others = (said[n : n + len(WRITTEN)] for n in range(0, len(said), len(WRITTEN)))
    return [
        tuple(Line(*parts) for parts in zip(WRITTEN, plain, under, strict=True)) for under in others
    ]
