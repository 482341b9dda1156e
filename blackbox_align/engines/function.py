"""An engine made of a plain function: for tests, and for models that live elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..adapters.adapter import Adapter
from ..errors import ModelError
from ..surveys.sheet import Sheet
from .base import KINDS, Answers, EngineInfo

Function = Callable[[Sequence[Adapter], Sheet], "np.ndarray | Answers"]


@dataclass(frozen=True)
class FunctionEngine:
    """Answers with ``function(adapters, sheet)``; see :class:`.base.Engine`.

    It gives an array (P, questions, options) of probabilities, or :class:`.base.Answers`. The words
    of its vocabulary are numbers, and their embeddings drawn once for all.
    """

    function: Function
    info: EngineInfo = field(
        default_factory=lambda: EngineInfo(
            "function", "0", width=4, vocabulary=16, can=frozenset({"answer", "embed", *KINDS})
        )
    )

    def answer(
        self, adapters: Sequence[Adapter], sheet: Sheet, *, plainly: bool = False
    ) -> Answers:
        given = self.function(adapters, sheet)
        return given if isinstance(given, Answers) else Answers.of(given, len(sheet.texts))

    def askable(self, sheet: Sheet) -> tuple[str | None, ...]:
        return (None,) * len(sheet.questions)

    def tokenize(self, text: str) -> tuple[int, ...]:
        size = max(self.info.vocabulary, 1)
        return tuple(character % size for character in text.encode())

    def embed(self, tokens: Sequence[int]) -> np.ndarray:
        shape = (self.info.vocabulary, self.info.width)
        words = np.random.default_rng(0).standard_normal(shape, np.float32)
        return np.asarray(words[list(tokens)])

    def close(self) -> None:
        pass

    def submit(self, request: Any) -> Any:
        raise ModelError(f"The engine {self.info.name!r} is a function and writes no texts.")

    def hidden(self, texts: Any, source: Any) -> Any:
        raise ModelError(f"The engine {self.info.name!r} is a function and has no hidden states.")

    def pullback(self, adapters: Any, sheet: Any) -> Any:
        raise ModelError(f"The engine {self.info.name!r} is a function and has no gradient.")
